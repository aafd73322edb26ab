"""The commands ``missed`` and ``import``: what GitLab's log of a webhook has and the ledger has not."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hookyard.catching_up import known_ids, take
from hookyard.cli.gitlab_side import (
    GitLabSide,
    SourceOption,
    WatchArgument,
    ask,
    tell_unreadable,
    wanted_events,
)
from hookyard.cli.ledger_session import LedgerSession, with_ledger
from hookyard.cli.output import tables
from hookyard.cli.output.terminal import EXIT_USAGE, JsonOption, now_ms, print_note, show, show_json, stop
from hookyard.gitlab import hooks as gitlab_hooks
from hookyard.gitlab.events import describe
from hookyard.gitlab.missed import Fate, Logged, has_wrong_secret, sort_out
from hookyard.ledger.documents import iso_or_none
from hookyard.ledger.times import parse_moment

if TYPE_CHECKING:
    from hookyard.gitlab.client import DeliveryGitLabAPI
    from hookyard.gitlab.hooks import Found

PER_SECOND: Final = 20
"""So many deliveries are imported a second, so that what comes meanwhile is not held up."""

_RESEND_EVERY_S: Final = 15.0
"""GitLab allows five a minute; one is left to people."""


def missed(
    paths: WatchArgument = None,
    *,
    lost: Annotated[
        bool, typer.Option("--lost", help="Also look for what was accepted and is not in the ledger.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Such as 2h; a week at the most.")
    ] = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what GitLab tried to deliver, and we have not.

    Reads GitLab's log of each webhook, which goes back a week. What GitLab never attempted is in no log.
    """
    given = GitLabSide.read(paths, source)
    found = _look_for_missed(given, lost=lost, since=since)
    if as_json:
        show_json({"missed": [_missed_document(one) for one in found]})
        return
    _tell_missed(found)
    if any(one.fate in {Fate.MISSED, Fate.LOST} for one in found):
        show("\nTo take them into the ledger: hookyard import" + (" --lost" if lost else ""))


def import_(
    paths: WatchArgument = None,
    *,
    lost: Annotated[
        bool, typer.Option("--lost", help="Also what was accepted and is not in the ledger any more.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Such as 2h; a week at the most.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only of projects whose path contains this.")
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="TEXT", help="Only events that contain this.")] = None,
    all_events: Annotated[
        bool, typer.Option("--all-events", help="Also events that no handler is registered for.")
    ] = False,
    resend: Annotated[
        bool, typer.Option("--resend", help="Have GitLab send them again instead: four a minute.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken.")] = False,
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take what was missed out of GitLab's log into the ledger.

    The oldest first, and nothing twice: what succeeded or is in the ledger is left
    out. E-mail addresses are blacked out in GitLab's log; handlers can tell by
    current_delivery().redacted.
    """
    wanted = set() if all_events else wanted_events()
    given = GitLabSide.read(paths, source)
    found = _look_for_missed(given, lost=lost, since=since)
    fates = {Fate.MISSED, Fate.LOST} if lost else {Fate.MISSED}
    chosen = [one for one in found if one.fate in fates and _is_meant(one, project, event)]
    unwanted = [one for one in chosen if wanted and one.event not in wanted]
    chosen = [one for one in chosen if one not in unwanted]
    if dry_run or not chosen:
        result = {"imported": 0, "would import": len(chosen)}
    elif resend:
        result = _resend(given, chosen)
    else:
        result = with_ledger(lambda session: _take(session, given, chosen))
    if as_json:
        show_json(
            {**result, "without_handler": len(unwanted), "missed": [_missed_document(one) for one in chosen]}
        )
        return
    _tell_missed(chosen)
    for what, number in result.items():
        show(f"{what}: {number}")
    if unwanted:
        counted = Counter(one.event for one in unwanted)
        told = ", ".join(f"{name} {number}" for name, number in counted.items())
        show(f"left out, since no handler wants them: {len(unwanted)} ({told})")


def _look_for_missed(given: GitLabSide, *, lost: bool, since: str | None) -> list[Logged]:
    try:
        since_ms = parse_moment(since, now_ms=now_ms()) if since else None
    except ValueError as exc:
        stop(f"--since: {exc}", EXIT_USAGE)

    async def read(gl: DeliveryGitLabAPI) -> tuple[Found, dict[int, list[dict[str, Any]]]]:
        found = await gitlab_hooks.find(gl, given.paths, url=given.url, wanted=())
        logs = {
            hook.id: await gitlab_hooks.read_log(gl, hook, failures_only=not lost, since_ms=since_ms)
            for hook in found.hooks
        }
        return found, logs

    found, logs = ask(given.settings, read)
    tell_unreadable(found)
    if not found.hooks:
        stop(f"No webhook of {', '.join(given.paths)} calls {given.url}.")
    for hook in found.hooks:
        if has_wrong_secret(logs[hook.id]):
            print_note(
                f"{hook.name}: its latest requests were refused with 401: its secret is not one of ours"
            )
    ids = [
        one.delivery_id
        for hook in found.hooks
        for one in sort_out(hook.id, logs[hook.id], is_known=lambda _id: False)
    ]
    known, oldest_ms = with_ledger(lambda session: _known(session, ids, given.source))
    listed = [
        one
        for hook in found.hooks
        for one in sort_out(hook.id, logs[hook.id], is_known=known.__contains__)
        if since_ms is None or one.at_ms is None or one.at_ms >= since_ms
    ]
    # older than all that is kept: it may have been pruned
    return [
        one
        for one in listed
        if one.fate is not Fate.LOST or (one.at_ms is not None and one.at_ms > oldest_ms)
    ]


async def _known(session: LedgerSession, ids: list[str], source: str) -> tuple[set[str], int]:
    """Return which of GitLab's ids the ledger has, and since when it keeps deliveries."""
    known = await known_ids(session.ledger, ids, source)
    oldest = await session.ledger.redis.zrange(session.ledger.keys.received, 0, 0, withscores=True)
    return known, int(oldest[0][1]) if oldest else now_ms()


async def _take(session: LedgerSession, given: GitLabSide, chosen: list[Logged]) -> dict[str, int]:
    counted = {"imported": 0, "known by then": 0}
    for one in chosen:
        is_new = await take(session.ledger, one, given.source, now_ms=now_ms())
        counted["imported" if is_new else "known by then"] += 1
        await asyncio.sleep(1 / PER_SECOND)
    return counted


def _resend(given: GitLabSide, chosen: list[Logged]) -> dict[str, int]:
    from gidgetlab.exceptions import HTTPException

    async def work(gl: DeliveryGitLabAPI) -> dict[str, int]:
        found = await gitlab_hooks.find(gl, given.paths, url=given.url, wanted=())
        hooks_by_id = {hook.id: hook for hook in found.hooks}
        counted: Counter[str] = Counter({"resent": 0})
        for place, one in enumerate(chosen):
            if place:
                await asyncio.sleep(_RESEND_EVERY_S)
            try:
                status = await gitlab_hooks.resend(gl, hooks_by_id[one.hook], one.row)
            except HTTPException as exc:
                print_note(f"{one.delivery_id}: {exc}")
                counted["refused by GitLab"] += 1
                if "disabled" in str(exc).lower():
                    break
                continue
            counted["resent" if status.startswith(("2", "3")) else f"answered {status}"] += 1
            print_note(f"{place + 1} of {len(chosen)}: {one.delivery_id} {status}")
        return dict(counted)

    return ask(given.settings, work)


def _is_meant(one: Logged, project: str | None, event: str | None) -> bool:
    path = describe(json.loads(one.body))[0] if project is not None else None
    return (project is None or project.casefold() in (path or "").casefold()) and (
        event is None or event.casefold() in one.event.casefold()
    )


def _tell_missed(found: list[Logged]) -> None:
    told = [one for one in found if one.fate not in {Fate.KNOWN, Fate.DELIVERED}]
    if not told:
        show("Nothing was missed, as far as GitLab's log goes back.")
        return
    show(
        tables.missed(
            [(one.fate.value, one.event, one.status, one.at_ms, one.delivery_id) for one in told],
            now_ms=now_ms(),
        )
    )


def _missed_document(one: Logged) -> dict[str, Any]:
    return {
        "id": one.delivery_id,
        "hook": one.hook,
        "event": one.event,
        "status": one.status,
        "at": iso_or_none(one.at_ms),
        "fate": one.fate.value,
        "redacted": one.redacted,
    }
