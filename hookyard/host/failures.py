"""Describe what a handler raised: its text, its traceback, and the HTTP status in it. Pure.

Nothing here trusts the exception: ``str()`` of it may raise, and so may any of its attributes.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

TRACEBACK_LIMIT: Final = 8_000

_HTTP_LIBRARIES: Final = frozenset(
    {"gidgetlab", "httpx", "gitlab", "requests", "urllib", "aiohttp", "hookyard"}
)
"""Top packages whose exceptions carry the status of an HTTP answer, in one of the ways below."""


def describe(error: BaseException) -> str:
    """Return the class and the text of *error*; of a group, also those of the exceptions in it."""
    if isinstance(error, BaseExceptionGroup):
        return f"{_describe(error)}: {', '.join(map(_describe, leaves(error)))}"
    return _describe(error)


def _describe(error: BaseException) -> str:
    name = type(error).__name__
    try:
        words = str(error)
    except BaseException as exc:  # noqa: BLE001 - an exception's __str__ may raise anything
        return f"{name}: its text cannot be shown ({type(exc).__name__} in __str__)"
    return f"{name}: {words}" if words else name


def trace(error: BaseException, *, skip: str, scrub: Callable[[str], str]) -> str:
    """Return the traceback of *error* without its first frames in *skip*, its end where it is long.

    :param scrub: removes secrets, before anything is cut off: half a secret would not be known as one.
    """
    frames: TracebackType | None = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == skip:
        frames = frames.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
    except BaseException as exc:  # noqa: BLE001 - as above, in a cause or a note
        text = (
            "".join(traceback.format_tb(frames))
            + f"{type(error).__name__} ({type(exc).__name__} in __str__)\n"
        )
    # half a surrogate pair, which a payload may hold, could be neither sent nor stored
    text = scrub(text).encode(errors="backslashreplace").decode()
    return text if len(text) <= TRACEBACK_LIMIT else "…\n" + text[-TRACEBACK_LIMIT:]


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions in *error*: those of a group, however deep, else itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def attribute(owner: object, name: str) -> Any:
    """Return an attribute of an exception, ``None`` where it has none or reading it raises."""
    try:
        return getattr(owner, name, None)
    except BaseException:  # noqa: BLE001 - a property, or a __getattr__ without end
        return None


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that *error* carries, where it comes from a library that makes HTTP requests.

    gidgetlab: ``status_code``; httpx and requests: ``response.status_code``; python-gitlab:
    ``response_code``; aiohttp: ``status``; urllib: ``code``.
    """
    modules = {base.__module__.partition(".")[0] for base in type(error).__mro__}
    if not modules & _HTTP_LIBRARIES:
        return None
    response = attribute(error, "response")
    for owner, name in (
        (error, "status_code"),
        (response, "status_code"),
        (error, "response_code"),
        (error, "status"),
        (error, "code"),
    ):
        found = attribute(owner, name)
        if isinstance(found, int) and not isinstance(found, bool):
            return int(found)
    return None
