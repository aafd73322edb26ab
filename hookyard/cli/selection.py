"""The deliveries that a command means: by filter options, or by ids as they were typed."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hookyard.cli.output.terminal import EXIT_USAGE, now_ms, stop
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Record, State
from hookyard.ledger.times import parse_moment

if TYPE_CHECKING:
    from hookyard.ledger.reader import Listing

SHORTEST_PREFIX: Final = 4
SEARCHED: Final = 1000
"""A prefix of an id is looked for among this many of the newest deliveries."""

_SHOWN: Final = 5

IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help=f"Ids, or at least their first {SHORTEST_PREFIX} characters."),
]


def _option(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=text, rich_help_panel="Filters")


def read_filter(
    *,
    state: Annotated[str | None, _option("--state", "STATE", f"In this state: {', '.join(State)}.")] = None,
    event: Annotated[
        str | None, _option("--event", "TEXT", 'With this text in the event, such as "merge request".')
    ] = None,
    project: Annotated[
        str | None, _option("--project", "TEXT", "With this text in the project's path.")
    ] = None,
    handler: Annotated[
        str | None,
        _option(
            "--handler",
            "TEXT",
            "With this text in a handler's name; with --state failed, of one that failed.",
        ),
    ] = None,
    error: Annotated[str | None, _option("--error", "TEXT", "With this text in the error.")] = None,
    since: Annotated[
        str | None, _option("--since", "TIME", "Received since then: 15m, 2h, 3d, or 2026-01-31T12:00 (UTC).")
    ] = None,
    until: Annotated[
        str | None, _option("--until", "TIME", "Received before then, written like --since.")
    ] = None,
) -> Filter:
    """Return the filter that the options make; one that cannot be read ends the command with exit code 2."""
    return Filter(
        state=_state(state),
        event=event,
        project=project,
        handler=handler,
        error=error,
        since_ms=_moment("--since", since),
        until_ms=_moment("--until", until),
    )


def with_filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the options of :func:`read_filter`; its parameter ``wanted`` gets the filter."""
    options = inspect.signature(read_filter, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in options}
        command(wanted=read_filter(**chosen), **values)

    parameters = [*options.values(), *(one for one in own.parameters.values() if one.name != "wanted")]
    shown = own.replace(parameters=[one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters])
    run.__signature__ = shown  # type: ignore[attr-defined]  # typer makes the options from it
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _state(text: str | None) -> State | None:
    if text is None:
        return None
    try:
        return State(text.lower())
    except ValueError:
        near = difflib.get_close_matches(text.lower(), list(State), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        stop(f"--state {text}: {hint}The states are {', '.join(State)}.", EXIT_USAGE)


def _moment(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_moment(text, now_ms=now_ms())
    except ValueError as exc:
        stop(f"{option}: {exc}", EXIT_USAGE)


@dataclass(frozen=True, kw_only=True)
class NotFound:
    """A typed id that does not name exactly one delivery; ``why`` says so."""

    why: str


async def find(listing: Listing, typed: str) -> Record | NotFound:
    """Return the delivery with the id *typed*, or the only recent one whose id begins with it.

    :raises ValueError: when a newer version of Hookyard wrote it.
    """
    record = await listing.get(typed)
    if record is not None:
        return record
    if len(typed) < SHORTEST_PREFIX:
        return NotFound(why=f"There is no delivery {typed}; a prefix needs {SHORTEST_PREFIX} characters.")
    newest = await listing.page(Filter(), limit=SEARCHED)
    found = [one.delivery.id for one in newest.records if one.delivery.id.startswith(typed)]
    if len(found) > 1:
        return NotFound(why=_ambiguous(typed, found))
    record = await listing.get(found[0]) if found else None
    return record or NotFound(why=f"There is no delivery {typed}. List them with: hookyard deliveries")


def _ambiguous(typed: str, found: Sequence[str]) -> str:
    shown = "\n".join(f"  {one}" for one in found[:_SHOWN])
    more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{len(found)} ids begin with {typed}:\n{shown}{more}"
