"""The commands that change the ledger: ``replay`` and ``discard``.

Deliveries are given by id, or chosen by filters; a choice by filter is counted and confirmed first.
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
from hookyard.cli.output.terminal import (
    EXIT_FAILED,
    EXIT_USAGE,
    JsonOption,
    now_ms,
    print_note,
    show,
    show_json,
    stop,
)
from hookyard.ledger.query import Filter

if TYPE_CHECKING:
    from collections.abc import Sequence

_LISTED: Final = 20
"""Up to this many deliveries are reported one by one."""

_MEANING: Final = {
    "queued": "queued",
    "running": "running; will run again after this run",
    "dropped": "not replayed: its body was dropped to make room in Redis (HOOKYARD_KEEP_MEMORY)",
    "missing": "not found",
    "discarded": "discarded",
}

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The ids of the chosen deliveries, oldest first, and the typed ids that name none, with the reason."""

    ids: list[str]
    not_found: dict[str, str]


@selection.with_filter_options
def replay(
    ids: selection.IdsArgument = None,
    *,
    wanted: Filter,
    failed_only: Annotated[
        bool,
        typer.Option("--failed-only/--all-handlers", help="Run only handlers without a success, or all."),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run deliveries again, by id or by filter.

    All attempts of a handler are available to it again. A delivery that is
    running runs again after its current run.

    Refused only where the body was dropped to make room in Redis.
    """
    what: Literal["all", "failed"] = "failed" if failed_only else "all"
    which = "only handlers without a success" if failed_only else "all handlers"
    chosen = _choose(ids, wanted, f"Replay {{}} ({which})?", yes=yes)

    async def order(session: LedgerSession) -> dict[str, str]:
        return await session.ledger.replay(chosen.ids, what=what, now_ms=now_ms())

    _report(with_ledger(order) if chosen.ids else {}, chosen, as_json=as_json)


@selection.with_filter_options
def discard(
    ids: selection.IdsArgument = None,
    *,
    wanted: Filter,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete deliveries for good, by id or by filter.

    This cannot be undone.
    """
    chosen = _choose(ids, wanted, "Delete {} for good?", yes=yes)

    async def order(session: LedgerSession) -> dict[str, str]:
        await session.ledger.discard(chosen.ids)
        return dict.fromkeys(chosen.ids, "discarded")

    _report(with_ledger(order) if chosen.ids else {}, chosen, as_json=as_json)


def _choose(ids: Sequence[str] | None, wanted: Filter, question: str, *, yes: bool) -> Chosen:
    """Return the chosen deliveries; a choice by filter is confirmed first, unless *yes*."""
    if bool(ids) == (wanted != Filter()):
        stop("Give either ids or filters, such as --state failed.", EXIT_USAGE)

    async def by_id(session: LedgerSession) -> Chosen:
        found = {typed: await selection.find(session.listing, typed) for typed in ids or ()}
        not_found = {typed: one.why for typed, one in found.items() if isinstance(one, selection.NotFound)}
        known = [one.delivery.id for one in found.values() if not isinstance(one, selection.NotFound)]
        return Chosen(ids=list(dict.fromkeys(known)), not_found=not_found)

    async def by_filter(session: LedgerSession) -> Chosen:
        return Chosen(ids=(await session.listing.all_ids(wanted))[::-1], not_found={})

    chosen = with_ledger(by_id if ids else by_filter)
    if not ids and chosen.ids and not yes:
        _confirm(question.format(text.deliveries(len(chosen.ids))))
    return chosen


def _confirm(question: str) -> None:
    if not _is_interactive():
        stop(f"{question} There is no terminal to ask on: add --yes to go ahead.", EXIT_USAGE)
    if not typer.confirm(question, err=True):
        stop("Nothing was changed.")


def _is_interactive() -> bool:
    return sys.stdin.isatty()


def _report(answers: dict[str, str], chosen: Chosen, *, as_json: bool) -> None:
    """Print the answers; a delivery that is missing or was refused makes the exit code 1."""
    if as_json:
        shape = [{"id": one, "answer": answer} for one, answer in answers.items()]
        shape += [{"id": typed, "answer": "missing"} for typed in chosen.not_found]
        show_json({"deliveries": shape})
    elif not answers and not chosen.not_found:
        show("No delivery matches; nothing was changed.")
    elif len(answers) <= _LISTED:
        show(tables.answers(answers, _MEANING))
    else:
        for answer, count in Counter(answers.values()).items():
            show(f"{text.deliveries(count)} {_MEANING[answer]}")
    for why in chosen.not_found.values():
        print_note(why)
    if chosen.not_found or not {"missing", "dropped"}.isdisjoint(answers.values()):
        raise typer.Exit(EXIT_FAILED)
