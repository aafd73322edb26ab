"""The commands that read the ledger: ``deliveries``, ``show`` and ``stats``."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.live import Live

from hookyard.cli import selection
from hookyard.cli.ledger_session import LedgerSession, with_ledger
from hookyard.cli.output import tables, terminal
from hookyard.cli.output.safe import plain
from hookyard.cli.output.terminal import (
    EXIT_USAGE,
    JsonOption,
    console,
    now_ms,
    show_json,
    show_json_in_colours,
    stop,
)
from hookyard.ledger import documents
from hookyard.ledger.query import Filter

if TYPE_CHECKING:
    from hookyard.ledger.query import Page, Stats
    from hookyard.ledger.records import Record

_WATCH_S: Final = 1.0
_CURSOR: Final = re.compile(r"(quarantine@)?\d{1,16}:.+")


@selection.with_filter_options
def deliveries(
    *,
    wanted: Filter,
    limit: Annotated[int, typer.Option(metavar="N", help="Show at most this many.", min=1, max=10_000)] = 20,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Continue a list from the cursor it ended with.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, newest first."""

    async def read(session: LedgerSession) -> tuple[Page, int]:
        found = await session.listing.page(wanted, limit=limit, cursor=cursor)
        return found, 0 if found.records else (await session.listing.stats()).total

    if cursor is not None and not _CURSOR.fullmatch(cursor):
        stop(f"--cursor {cursor}: not a cursor; a list that goes on ends with one", EXIT_USAGE)
    found, total = with_ledger(read)
    if as_json:
        show_json(documents.page(found))
    elif found.records:
        terminal.show(tables.page(found, now_ms=now_ms(), width=console().width))
    elif cursor:
        terminal.show("No older deliveries.")
    else:
        terminal.show(tables.empty_page(filtered=wanted != Filter(), total=total))


def show(
    delivery_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help=f"The id, or at least its first {selection.SHORTEST_PREFIX} characters."
        ),
    ],
    body: Annotated[bool, typer.Option("--body", help="Print the body exactly as it was received.")] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Print every traceback, not only the latest one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one delivery: its runs, its handlers and their errors.

    Ends with what happens next, and what you can do.
    """

    async def read(session: LedgerSession) -> Record | selection.NotFound:
        return await selection.find(session.listing, delivery_id)

    record = with_ledger(read)
    if isinstance(record, selection.NotFound):
        stop(record.why)
    if as_json:
        show_json(documents.whole_delivery(record, with_body=body))
    elif body:
        _print_body(record.delivery.body)
    else:
        terminal.show(tables.report(record, now_ms=now_ms(), all_tracebacks=traceback))


def _print_body(body: bytes) -> None:
    """Print the body: byte for byte into a pipe; on a terminal laid out, without control characters."""
    if not console().is_terminal:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        show_json_in_colours(json.loads(body))
    except (ValueError, RecursionError):
        console().out(plain(body.decode("utf-8", "replace")))


def stats(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh every second until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Count deliveries by state.

    Also shows how long the oldest has been due.
    --watch with --json prints one line of JSON a second.
    """

    async def read(session: LedgerSession) -> Stats:
        return await session.listing.stats()

    if not watch:
        found = with_ledger(read)
        if as_json:
            show_json(documents.stats(found))
        else:
            terminal.show(tables.stats(found))
        return
    if as_json or not console().is_terminal:
        while True:
            show_json(documents.stats(with_ledger(read)), indent=None)
            time.sleep(_WATCH_S)
    with Live(tables.stats(with_ledger(read)), console=console(), auto_refresh=False) as live:
        while True:
            time.sleep(_WATCH_S)
            live.update(tables.stats(with_ledger(read)), refresh=True)
