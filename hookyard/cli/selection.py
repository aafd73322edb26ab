"""Which deliveries a command means: a filter from its options, ids from what was typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hookyard.cli.output.terminal import EXIT_USAGE, now_ms, stop
from hookyard.cli.output.times import parse_moment
from hookyard.ledger.query import Filter
from hookyard.ledger.records import Record, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hookyard.ledger.reader import Listing

SHORTEST_PREFIX: Final = 4
SEARCHED: Final = 1000
"""The beginning of an id is looked for among so many of the newest deliveries."""

_PANEL: Final = "Which deliveries"

StateOption = Annotated[
    State | None,
    typer.Option(
        "--state", metavar="STATE", help=f"Only in this state: {', '.join(State)}.", rich_help_panel=_PANEL
    ),
]
EventOption = Annotated[
    str | None,
    typer.Option(
        "--event", metavar="TEXT", help='Part of the event, e.g. "merge request".', rich_help_panel=_PANEL
    ),
]
ProjectOption = Annotated[
    str | None,
    typer.Option("--project", metavar="TEXT", help="Part of the project's path.", rich_help_panel=_PANEL),
]
HandlerOption = Annotated[
    str | None,
    typer.Option(
        "--handler",
        metavar="TEXT",
        help="Part of a handler's name; with --state failed, one that failed.",
        rich_help_panel=_PANEL,
    ),
]
ErrorOption = Annotated[
    str | None, typer.Option("--error", metavar="TEXT", help="Part of the error.", rich_help_panel=_PANEL)
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Received since: 15m, 2h, 3d, or 2026-01-31T12:00.",
        rich_help_panel=_PANEL,
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="Received until; written the same.", rich_help_panel=_PANEL),
]
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help=f"Ids, or their first {SHORTEST_PREFIX} characters or more."),
]


def make_filter(  # noqa: PLR0917 - the options in the order in which every command has them
    state: State | None,
    event: str | None,
    project: str | None,
    handler: str | None,
    error: str | None,
    since: str | None,
    until: str | None,
) -> Filter:
    """Return what the options say; a time that cannot be read ends the command with exit code 2."""
    return Filter(
        state=state,
        event=event,
        project=project,
        handler=handler,
        error=error,
        since_ms=_moment("--since", since),
        until_ms=_moment("--until", until),
    )


def _moment(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_moment(text, now_ms=now_ms())
    except ValueError as exc:
        stop(f"{option}: {exc}", EXIT_USAGE)


@dataclass(frozen=True, kw_only=True)
class Unclear:
    """Why a typed id does not name one delivery."""

    why: str


async def find(listing: Listing, typed: str) -> Record | Unclear:
    """Return the delivery whose id is *typed*, or the only new one whose id begins so.

    :raises ValueError: when a newer version of Hookyard wrote it.
    """
    record = await listing.get(typed)
    if record is not None:
        return record
    if len(typed) < SHORTEST_PREFIX:
        return Unclear(
            why=f"There is no delivery {typed}; of a longer id, type {SHORTEST_PREFIX} characters."
        )
    newest = await listing.page(Filter(), limit=SEARCHED)
    found = [one.delivery.id for one in newest.records if one.delivery.id.startswith(typed)]
    if len(found) > 1:
        return Unclear(why=_several(typed, found))
    record = await listing.get(found[0]) if found else None
    return record or Unclear(why=f"There is no delivery {typed}. See what there is with: hookyard deliveries")


def _several(typed: str, found: Sequence[str]) -> str:
    shown = "\n".join(f"  {one}" for one in found[:5])
    more = f"\n  and {len(found) - 5} more" if len(found) > 5 else ""  # noqa: PLR2004 - as many as are shown
    return f"{typed} is the beginning of {len(found)} ids:\n{shown}{more}"
