"""The commands ``schedules`` and ``breakers``: what a bot does by itself, and where it was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hookyard.cli.ledger_session import LedgerSession, with_ledger
from hookyard.cli.output import tables
from hookyard.cli.output.terminal import JsonOption, now_ms, show, show_json, stop
from hookyard.ledger import gates
from hookyard.ledger import schedules as known
from hookyard.ledger.documents import iso_or_none

if TYPE_CHECKING:
    from hookyard.ledger.gates import Tripped
    from hookyard.ledger.schedules import Schedule


def schedules(
    *,
    forget: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forget one that the bot does not have any more.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what the bot does by the clock: when last, when next."""

    async def read(session: LedgerSession) -> dict[str, Schedule]:
        redis, keys = session.ledger.redis, session.ledger.keys
        if forget is not None and not await known.forget(redis, keys, forget):
            stop(f"there is no schedule {forget}; `hookyard schedules` lists them")
        return await known.read_all(redis, keys)

    found = with_ledger(read)
    if as_json:
        show_json(
            {
                "schedules": [
                    {
                        "name": name,
                        "cron": one.cron,
                        "timezone": one.timezone,
                        "last": iso_or_none(one.last_ms),
                        "next": iso_or_none(one.next_ms),
                    }
                    for name, one in found.items()
                ]
            }
        )
    elif found:
        rows = [(name, f"{one.cron} {one.timezone}", one.last_ms, one.next_ms) for name, one in found.items()]
        show(tables.schedules(rows, now_ms=now_ms()))
    else:
        show("There is no schedule. A bot has one by @bot.schedule, once a worker has started with it.")


def breakers(
    *,
    lift: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Let those run again whose handler or object contains this."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the loops that were stopped, or lift that.

    A handler with policy(chain=…) is stopped where it ran too often for one object.
    """

    async def work(session: LedgerSession) -> list[Tripped]:
        redis, keys = session.ledger.redis, session.ledger.keys
        found = await gates.tripped(redis, keys)
        if lift is None:
            return found
        meant = [one for one in found if lift in one.handler or lift in one.object]
        if not meant:
            stop(f"no loop was stopped for {lift}; `hookyard breakers` lists them")
        for one in meant:
            await gates.lift(redis, keys, one)
        return meant

    loops = with_ledger(work)
    if as_json:
        show_json(
            {
                "breakers": [
                    {"handler": one.handler, "object": one.object, "since": iso_or_none(one.since_ms)}
                    for one in loops
                ]
            }
        )
    elif not loops:
        show("No loop was stopped.")
    else:
        rows = [(one.handler, one.object, one.since_ms) for one in loops]
        show(tables.breakers(rows, now_ms=now_ms()))
        if lift is not None:
            show("They run again; what failed meanwhile is run by `hookyard replay`.")
