"""The commands that look into the ledger and change nothing: deliveries, show, stats."""

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
from hookyard.cli.output import json_documents, tables, text
from hookyard.cli.output.terminal import EXIT_USAGE, now_ms, screen, show, show_json, stop
from hookyard.ledger.query import Filter

if TYPE_CHECKING:
    from hookyard.ledger.query import Page, Stats
    from hookyard.ledger.records import Record

_WATCH_S: Final = 1.0
_CURSOR: Final = re.compile(r"(quarantine@)?\d{1,16}:.+")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def deliveries(
    *,
    state: selection.StateOption = None,
    event: selection.EventOption = None,
    project: selection.ProjectOption = None,
    handler: selection.HandlerOption = None,
    error: selection.ErrorOption = None,
    since: selection.SinceOption = None,
    until: selection.UntilOption = None,
    limit: Annotated[int, typer.Option(metavar="N", help="How many at most.", min=1, max=10_000)] = 20,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on where a page ended: what it printed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, newest first."""
    wanted = selection.make_filter(state, event, project, handler, error, since, until)

    async def read(session: LedgerSession) -> tuple[Page, int]:
        found = await session.listing.page(wanted, limit=limit, cursor=cursor)
        return found, 0 if found.records else (await session.listing.stats()).total

    if cursor is not None and not _CURSOR.fullmatch(cursor):
        stop(f"--cursor {cursor}: this is not what a page said", EXIT_USAGE)
    found, total = with_ledger(read)
    if as_json:
        show_json(json_documents.page(found))
    elif found.records:
        show(tables.page(found, now_ms=now_ms(), width=screen().width))
    elif cursor:
        show("No older ones.")
    else:
        show(tables.nothing(filtered=wanted != Filter(), total=total))


def show_delivery(
    delivery_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id, or its first 4 characters or more.")
    ],
    body: Annotated[bool, typer.Option("--body", help="Print the body, exactly as it was received.")] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Every failure's traceback, not only the last one's.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell everything about one delivery.

    Its facts, each try, each handler's outcome with the error, and what comes next.
    """

    async def read(session: LedgerSession) -> Record | selection.Unclear:
        return await selection.find(session.listing, delivery_id)

    record = with_ledger(read)
    if isinstance(record, selection.Unclear):
        stop(record.why)
    if as_json:
        show_json(json_documents.whole_delivery(record, with_body=body))
    elif body:
        _print_body(record.delivery.body)
    else:
        show(tables.story(record, now_ms=now_ms(), all_tracebacks=traceback))


def _print_body(body: bytes) -> None:
    """Print it: byte for byte into a pipe; on a terminal JSON is laid out, and nothing is obeyed."""
    if not screen().is_terminal:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        screen().print_json(text.plain(json.dumps(json.loads(body), ensure_ascii=False)))
    except (ValueError, RecursionError):
        screen().out(text.plain(body.decode("utf-8", "replace")))


def stats(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C, every second.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Count deliveries by state.

    It also says for how long the oldest has waited. With --watch and --json: one line of JSON every second.
    """

    async def read(session: LedgerSession) -> Stats:
        return await session.listing.stats()

    if not watch:
        found = with_ledger(read)
        if as_json:
            show_json(json_documents.stats(found))
        else:
            show(tables.stats(found))
        return
    if as_json or not screen().is_terminal:
        while True:
            show_json(json_documents.stats(with_ledger(read)), indent=None)
            time.sleep(_WATCH_S)
    with Live(tables.stats(with_ledger(read)), console=screen(), auto_refresh=False) as live:
        while True:
            time.sleep(_WATCH_S)
            live.update(tables.stats(with_ledger(read)), refresh=True)
