"""How one handler is named, run, limited and retried."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    ExceptionClasses = type[BaseException] | tuple[type[BaseException], ...]

AnyHandler = TypeVar("AnyHandler", bound="Callable[..., Any]")

_POLICY_ATTRIBUTE = "__hookyard_policy__"
_NAME_LIMIT = 200
_LONGEST_S = 7 * 86_400
_LARGEST_RATE = 10_000
_RATE = re.compile(r"(\d{1,5}) ?/ ?(?:(\d{1,4}) )?(second|minute|hour|day)s?")
_UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How one handler is named, run, limited and retried; ``None`` stands for the worker's own setting.

    ``rate`` and ``chain`` are a number and the seconds in which it may be reached.
    """

    name: str | None = None
    timeout_s: float | None = None
    max_attempts: int | None = None
    backoff_s: float | None = None
    retry_on: tuple[type[BaseException], ...] | None = None
    give_up_on: tuple[type[BaseException], ...] = ()
    wait_at_most_s: float | None = None
    key: str | Callable[..., str] | None = None
    concurrency: int | None = None
    is_strict: bool = False
    latest: bool = False
    debounce_s: float = 0.0
    delay_s: float = 0.0
    rate: tuple[int, float] | None = None
    skips_own: bool = False
    chain: tuple[int, float] | None = None


_NO_POLICY = Policy()


def policy(  # noqa: PLR0913 - each word by name
    *,
    name: str | None = None,
    timeout: float | None = None,
    max_attempts: int | None = None,
    backoff: float | None = None,
    retry_on: ExceptionClasses | None = None,
    give_up_on: ExceptionClasses = (),
    wait_at_most: float | None = None,
    key: str | Callable[..., str] | None = None,
    concurrency: int | None = None,
    ordered: Literal["strict"] | None = None,
    latest: bool = False,
    debounce: float = 0.0,
    delay: float = 0.0,
    rate: str | None = None,
    own: Literal["skip"] | None = None,
    chain: bool | str = False,
) -> Callable[[AnyHandler], AnyHandler]:
    """Say how a handler is run. Functions stay the same object; a bound method is wrapped in a partial.

    All but the first six hold in the whole fleet and spend no attempts.

    :param name: what its outcomes are recorded under, ``module:qualname`` otherwise. Outcomes stay with the
        name when the function is renamed, and handlers made by one factory can be told apart.
    :param timeout: seconds that one attempt may take (``HOOKYARD_HANDLER_TIMEOUT_S`` otherwise).
    :param max_attempts: attempts before it is given up (``HOOKYARD_MAX_ATTEMPTS`` otherwise).
    :param backoff: seconds of the first backoff, times 3 each attempt (``HOOKYARD_BACKOFF_S`` otherwise).
    :param retry_on: run again only after these exceptions (any otherwise); a time-out is a ``TimeoutError``.
    :param give_up_on: never run again after these.
    :param wait_at_most: seconds in all that it may ask for by ``Wait``; a week otherwise.
    :param key: what one run excludes others for: a template such as ``"{project}!{iid}"`` or a function of
        the event. One at a time, in order of receipt; a failure lets the next one pass.
    :param concurrency: attempts at once, of one key or, without one, of the handler.
    :param ordered: ``"strict"`` has a failure hold up what comes after it for its key.
    :param latest: of the deliveries that wait with one key, run the newest only.
    :param debounce: that, once no further one has come for so many seconds.
    :param delay: seconds from the receipt to the first attempt.
    :param rate: starts in a time, such as ``"30/minute"``, of the handler.
    :param own: ``"skip"`` leaves out events that the bot's own account caused.
    :param chain: let GitLab send webhooks for what this handler does, which it does not otherwise. After 20
        runs for one object in 10 minutes, or as said (``"50/hour"``), it is stopped until an operator lifts
        that.
    :raises TypeError: for what is no class of exceptions.
    :raises ValueError: for anything else that has no meaning.
    """
    spans = {"timeout": timeout, "backoff": backoff, "wait_at_most": wait_at_most}
    times = {"debounce": debounce, "delay": delay}
    numbers = {"max_attempts": max_attempts, "concurrency": concurrency}
    words = {"ordered": (ordered, "strict"), "own": (own, "skip")}
    for fault in _faults(name, spans, times, numbers, words):
        raise ValueError(f"policy({fault}")
    if key is None and (latest or debounce or ordered):
        raise ValueError(
            "policy(latest=…, debounce=…, ordered=…): of which key? Say, key='{project}{object}'"
        )
    wanted = Policy(
        name=name,
        timeout_s=timeout,
        max_attempts=max_attempts,
        backoff_s=backoff,
        retry_on=None if retry_on is None else _classes("retry_on", retry_on),
        give_up_on=_classes("give_up_on", give_up_on),
        wait_at_most_s=wait_at_most,
        key=key,
        concurrency=concurrency if concurrency is not None or key is None else 1,
        is_strict=ordered == "strict",
        latest=latest or debounce > 0,
        debounce_s=debounce,
        delay_s=delay,
        rate=None if rate is None else _rate("rate", rate),
        skips_own=own == "skip",
        chain=_rate("chain", "20/10 minutes" if chain is True else chain) if chain else None,
    )

    def mark(handler: AnyHandler) -> AnyHandler:
        marked: Any = handler
        try:
            setattr(marked, _POLICY_ATTRIBUTE, wanted)
        except AttributeError:  # a bound method, a built-in function
            marked = partial(marked)
            setattr(marked, _POLICY_ATTRIBUTE, wanted)
        return cast("AnyHandler", marked)

    return mark


def _faults(
    name: str | None,
    spans: dict[str, float | None],
    times: dict[str, float],
    numbers: dict[str, int | None],
    words: Mapping[str, tuple[str | None, str]],
) -> Iterator[str]:
    if name is not None and not (0 < len(name) <= _NAME_LIMIT and name.isprintable()):
        yield f"name={name!r}): 1 to {_NAME_LIMIT} printable characters"
    for word, span in spans.items():
        if span is not None and not 0 < span < float("inf"):
            yield f"{word}={span!r}): seconds, more than 0"
    for word, time in times.items():
        if not 0 <= time <= _LONGEST_S:
            yield f"{word}={time!r}): seconds, up to a week"
    for word, number in numbers.items():
        if number is not None and number < 1:
            yield f"{word}={number!r}): at least 1"
    for word, (given, known) in words.items():
        if given not in {None, known}:
            yield f"{word}={given!r}): only {known!r}"


def _rate(word: str, text: object) -> tuple[int, float]:
    """Return a number and the seconds in which it may be reached."""
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    if found is not None:
        number, seconds = int(found[1]), int(found[2] or 1) * _UNITS_S[found[3]]
        if 0 < number <= _LARGEST_RATE and 0 < seconds <= _LONGEST_S:
            return number, float(seconds)
    message = (
        f"policy({word}={text!r}): such as '30/minute' or '20/10 minutes', up to {_LARGEST_RATE:,} a week"
    )
    raise ValueError(message)


def _classes(word: str, given: ExceptionClasses) -> tuple[type[BaseException], ...]:
    classes: tuple[Any, ...] = given if isinstance(given, tuple) else (given,)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            message = f"policy({word}={given!r}): an exception class, or a tuple of them"
            raise TypeError(message)
    return classes


def policy_of(handler: Callable[..., Any]) -> Policy:
    """Return the policy that :func:`policy` put on *handler*, or one that leaves all to the settings.

    That of a partial or a bound method is its function's, where it has none itself.
    """
    found = getattr(handler, _POLICY_ATTRIBUTE, None)
    if isinstance(found, Policy):
        return found
    return policy_of(handler.func) if isinstance(handler, partial) else _NO_POLICY


def handler_name(handler: Callable[..., Any]) -> str:
    """Return the name that a handler's policy gives it, else its ``module:qualname``.

    For a partial that is its function's name, for an object its class's.
    """
    named = policy_of(handler).name
    if named is not None:
        return named
    while isinstance(handler, partial):
        handler = handler.func
    if not isinstance(getattr(handler, "__qualname__", None), str):
        handler = type(handler)
    return f"{handler.__module__}:{handler.__qualname__}"
