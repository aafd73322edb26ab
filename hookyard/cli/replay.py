"""The commands that give orders to the ledger: replay, discard.

Deliveries are named one by one, or chosen by filters; then it is said how many they are, and asked.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from hookyard.cli import selection
from hookyard.cli.ledger_session import LedgerSession, with_ledger
from hookyard.cli.output import tables, text
from hookyard.cli.output.terminal import EXIT_FAILED, EXIT_USAGE, note, now_ms, show, show_json, stop
from hookyard.ledger.query import Filter

if TYPE_CHECKING:
    from collections.abc import Sequence

_LISTED: Final = 20
"""Up to so many deliveries are reported one by one."""

_MEANING: Final = {
    "queued": "queued",
    "running": "running; runs again when this run has ended",
    "dropped": "not replayed: its body was dropped to make room in Redis (HOOKYARD_KEEP_MEMORY)",
    "missing": "missing: there is no such delivery",
    "discarded": "discarded",
}

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The deliveries that are meant, oldest first, and typed ids that name none, with the reason."""

    ids: list[str]
    unclear: dict[str, str]


def replay(
    ids: selection.IdsArgument = None,
    *,
    state: selection.StateOption = None,
    event: selection.EventOption = None,
    project: selection.ProjectOption = None,
    handler: selection.HandlerOption = None,
    error: selection.ErrorOption = None,
    since: selection.SinceOption = None,
    until: selection.UntilOption = None,
    failed_only: Annotated[
        bool,
        typer.Option("--failed-only/--all-handlers", help="Only handlers without a success, or all of them."),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run deliveries again.

    By id, or all that the filters mean. A new round of runs begins.

    Also one that succeeded; one that is running runs again when this run
    has ended. Refused only where the body was dropped to make room in Redis.
    """
    wanted = selection.make_filter(state, event, project, handler, error, since, until)
    what: Literal["all", "failed"] = "failed" if failed_only else "all"
    whose = "only handlers without a success" if failed_only else "all handlers"
    chosen = _choose(ids, wanted, f"Replay {{}} ({whose})?", yes=yes)

    async def order(session: LedgerSession) -> dict[str, str]:
        return await session.ledger.replay(chosen.ids, what=what, now_ms=now_ms())

    _report(with_ledger(order) if chosen.ids else {}, chosen, as_json=as_json)


def discard(
    ids: selection.IdsArgument = None,
    *,
    state: selection.StateOption = None,
    event: selection.EventOption = None,
    project: selection.ProjectOption = None,
    handler: selection.HandlerOption = None,
    error: selection.ErrorOption = None,
    since: selection.SinceOption = None,
    until: selection.UntilOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove deliveries for good.

    By id, or all that the filters mean. There is no way back.
    """
    wanted = selection.make_filter(state, event, project, handler, error, since, until)
    chosen = _choose(ids, wanted, "Discard {} for good?", yes=yes)

    async def order(session: LedgerSession) -> dict[str, str]:
        await session.ledger.discard(chosen.ids)
        return dict.fromkeys(chosen.ids, "discarded")

    _report(with_ledger(order) if chosen.ids else {}, chosen, as_json=as_json)


def _choose(ids: Sequence[str] | None, wanted: Filter, question: str, *, yes: bool) -> Chosen:
    """Return what is meant; a choice by filter is asked about first, unless *yes*."""
    if bool(ids) == (wanted != Filter()):
        stop("Name deliveries by their ids, or choose them by filters such as --state failed.", EXIT_USAGE)

    async def by_id(session: LedgerSession) -> Chosen:
        found = {typed: await selection.find(session.listing, typed) for typed in ids or ()}
        unclear = {typed: one.why for typed, one in found.items() if isinstance(one, selection.Unclear)}
        known = [one.delivery.id for one in found.values() if not isinstance(one, selection.Unclear)]
        return Chosen(ids=list(dict.fromkeys(known)), unclear=unclear)

    async def by_filter(session: LedgerSession) -> Chosen:
        return Chosen(ids=(await session.listing.all_ids(wanted))[::-1], unclear={})

    chosen = with_ledger(by_id if ids else by_filter)
    if not ids and chosen.ids and not yes:
        _ask(question.format(text.deliveries(len(chosen.ids))))
    return chosen


def _ask(question: str) -> None:
    if not _somebody_is_there():
        stop(f"{question} Nobody is there to answer: add --yes to go ahead.", EXIT_USAGE)
    if not typer.confirm(question, err=True):
        stop("Nothing was done.")


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _report(answers: dict[str, str], chosen: Chosen, *, as_json: bool) -> None:
    """Print what became of the order; a delivery that is missing or was refused makes the exit code 1."""
    if as_json:
        shape = [{"id": one, "answer": answer} for one, answer in answers.items()]
        shape += [{"id": typed, "answer": "missing"} for typed in chosen.unclear]
        show_json({"deliveries": shape})
    elif not answers and not chosen.unclear:
        show("None matches; nothing was done.")
    elif len(answers) <= _LISTED:
        show(tables.orders(answers, _MEANING))
    else:
        for answer, count in Counter(answers.values()).items():
            show(f"{text.deliveries(count)} {_MEANING[answer]}")
    for why in chosen.unclear.values():
        note(why)
    if chosen.unclear or not {"missing", "dropped"}.isdisjoint(answers.values()):
        raise typer.Exit(EXIT_FAILED)
