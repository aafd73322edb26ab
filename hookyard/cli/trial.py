"""The command ``try``: run the bot's handlers for one event in this process, where ``breakpoint()`` works."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.text import Text

from hookyard.cli import selection
from hookyard.cli.context import context_or_exit
from hookyard.cli.emulator import IS_INSTALLED, NEEDED
from hookyard.cli.ledger_session import LedgerSession, with_ledger
from hookyard.cli.output import text
from hookyard.cli.output.safe import plain
from hookyard.cli.output.terminal import EXIT_FAILED, EXIT_USAGE, show, stop
from hookyard.ledger.records import Delivery, Outcome
from hookyard.ledger.times import span
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from gidgetlab.routing import Router

    from hookyard.cli.context import CliContext
    from hookyard.host.messages import Ended, HandlerInfo
    from hookyard.settings.settings import Settings

_BODY_LIMIT = 2000


def try_(
    what: Annotated[
        str,
        typer.Argument(metavar="KIND|ID", help="A sample (`hookyard send --list`) or a delivery's id."),
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the calls that write, instead of making them.")
    ] = False,
    attempt: Annotated[
        int, typer.Option(metavar="N", help="What current_delivery().attempt says.", min=1)
    ] = 1,
) -> None:
    """Run the bot's handlers for one event, here and now.

    In the foreground and in this process, so that breakpoint() works; without time limits.
    Nothing is stored: no delivery, no outcome, no task that a handler enqueues.
    """
    from hookyard.host.invoke import log_context

    context = context_or_exit()
    settings = context.settings
    if not settings.handlers:
        stop("HOOKYARD_HANDLERS is not set: the bot's router, such as mybot:router", EXIT_USAGE)
    level = settings.log_level if "HOOKYARD_LOG_LEVEL" in context.given else "error"  # the rest is shown
    logs.configure("try", level=level, log_format=settings.log_format, context=log_context)
    router = _router(settings)
    delivery = _find(what, context)
    show(Text(f"{delivery.event}  {delivery.id}", style="bold"))
    code = asyncio.run(_run(router, settings, delivery, dry_run=dry_run, attempt=attempt))
    raise typer.Exit(code)


async def _run(router: Router, settings: Settings, delivery: Delivery, *, dry_run: bool, attempt: int) -> int:
    from hookyard.host.foreground import try_delivery
    from hookyard.host.host import NotUsable

    outcomes: list[str] = []

    def ended(info: HandlerInfo, how: Ended) -> None:
        outcomes.append(how.outcome)
        _tell_end(info, how)

    try:
        count = await try_delivery(
            router,
            settings,
            delivery,
            attempt=attempt,
            wrote=_tell_call if dry_run else None,
            begins=lambda info: show(Text(f"▸ {text.one_line(info.name)}")),
            ended=ended,
        )
    except NotUsable as exc:
        stop(str(exc), EXIT_FAILED)
    except ValueError as exc:
        stop(str(exc), EXIT_FAILED)
    if not count:
        show("No handler is registered for this event.")
    return EXIT_FAILED if any(one not in {Outcome.SUCCEEDED, Outcome.WAITING} for one in outcomes) else 0


def _router(settings: Settings) -> Router:
    from hookyard.host.load import HandlersError, load_router
    from hookyard.host.registry import Registry

    try:
        router = load_router(settings.handlers)
    except HandlersError as exc:
        stop(str(exc), EXIT_USAGE)
    if faults := Registry(router).faults():
        stop("\n".join(faults), EXIT_USAGE)
    return router


def _find(what: str, context: CliContext) -> Delivery:
    if IS_INSTALLED:
        from gitlab_emulator.samples.catalogue import SAMPLES

        if what in SAMPLES:
            return _sample(what, context.settings)
    if "-" in what and not any(each.isdigit() for each in what):  # a sample's name rather than an id
        stop(f"there is no sample {what}; `hookyard send --list` names them" if IS_INSTALLED else NEEDED)

    async def read(session: LedgerSession) -> Any:
        return await selection.find(session.listing, what)

    record = with_ledger(read)
    if isinstance(record, selection.NotFound):
        stop(record.why)
    if record.dropped_ms is not None:
        stop("its body was dropped to make room in Redis, so it cannot be tried")
    found: Delivery = record.delivery
    return found


def _sample(name: str, settings: Settings) -> Delivery:
    from gitlab_emulator.hooks.request import encode
    from gitlab_emulator.samples.catalogue import SAMPLES
    from gitlab_emulator.samples.scene import scene_of
    from gitlab_emulator.seed import seed

    sample = SAMPLES[name]
    body = encode(sample.build(scene_of(seed(), base_url=settings.gitlab_url, now=datetime.now(UTC))))
    return Delivery(
        id=f"try-{uuid4()}",
        event=sample.event,
        received_ms=time.time_ns() // 1_000_000,
        content_type="application/json",
        body=body,
        headers={"x-gitlab-event-uuid": str(uuid4())},
        origin="manual",
    )


def _tell_call(method: str, path: str, body: Any) -> None:
    shown = json.dumps(body, ensure_ascii=False)
    if len(shown) > _BODY_LIMIT:
        shown = f"{shown[:_BODY_LIMIT]}…"
    show(Text(f"  not made: {method} {text.one_line(path)} {text.one_line(shown)}", style="yellow"))


def _tell_end(info: HandlerInfo, how: Ended) -> None:
    outcome = Outcome(how.outcome)
    mark, colour = text.OUTCOME_MARKS[outcome]
    line = Text(f"  {mark} ", style=colour).append(f"{outcome.value} after {span(how.took_ms)}")
    show(line)
    if how.traceback:
        show(Text(plain(how.traceback).rstrip(), style="red"))
    elif how.error:
        show(Text(f"    {text.one_line(how.error)}"))
    if how.result is not None:
        show(Text(f"    returned {text.one_line(how.result)}"))
    for each in how.enqueued:
        data = each.body.decode(errors="replace")
        show(Text(f"    would enqueue {text.one_line(each.event)} {text.one_line(data)}"))
    if how.again_s is not None:
        show(Text(f"    would run again in {span(how.again_s * 1000)}"))
    if info.gate is not None:
        show(Text("    its policy's limits were not asked", style="bright_black"))
