"""The command `send`: one webhook, many, or the list of the samples.

Importing it is cheap, so that another command line can take it over as its own; what it needs to work
is imported when it does.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from gitlab_emulator.version_option import NEWEST_NAME, VersionName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitlab_emulator.hooks.sending import Sent
    from gitlab_emulator.load import Plan
    from gitlab_emulator.load_statistics import LoadStatistics
    from gitlab_emulator.outgoing import Outgoing

GITLAB_URL = "http://127.0.0.1:8002"
WRONG_USE, INTERRUPTED = 2, 130


def send(
    event: Annotated[
        str | None, typer.Argument(metavar="KIND", help="The name of a sample; --list shows them.")
    ] = None,
    *,
    url: Annotated[str, typer.Option(metavar="URL", help="Where to send it.")] = "http://127.0.0.1:8000/",
    secret_token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", envvar="EMULATOR_SECRET_TOKEN", help="Sent as X-Gitlab-Token."),
    ] = None,
    signing_token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", envvar="EMULATOR_SIGNING_TOKEN", help="whsec_…: signs the delivery."),
    ] = None,
    delivery_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Delivery id, the same for all of --count. (default: new)"),
    ] = None,
    amendments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change the body at a path such as object_attributes.title; repeatable.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Send this file as the body; - is standard input.", allow_dash=True
        ),
    ] = None,
    event_header: Annotated[
        str | None,
        typer.Option(
            "--event",
            metavar="HEADER",
            help="X-Gitlab-Event, e.g. \"Push Hook\". (default: the sample's or file's)",
        ),
    ] = None,
    gitlab_url: Annotated[
        str, typer.Option(metavar="URL", help="The GitLab that the webhook comes from.")
    ] = GITLAB_URL,
    gitlab_version: VersionName = NEWEST_NAME,
    count: Annotated[
        int,
        typer.Option(metavar="N", help="How many; without --rate one after the other.", min=1),
    ] = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Deliveries per second, however slow the answers are.", min=0.01, max=10_000
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(metavar="N", help="With --rate: how many may await an answer.", min=1, max=500),
    ] = 100,
    keep_alive: Annotated[
        bool, typer.Option("--keep-alive", help="Reuse connections; GitLab opens one per delivery.")
    ] = False,
    list_samples: Annotated[bool, typer.Option("--list", help="List the samples and exit.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an object per delivery, with --rate one summary.")
    ] = False,
) -> None:
    """Send a webhook the way GitLab does.

    With GitLab's headers, 10 seconds for the answer and no retry. Exits with 0 if every answer was 2xx.
    """
    from gitlab_emulator import sample_list
    from gitlab_emulator.clock import utc_now
    from gitlab_emulator.hooks.request import VERSIONS, Secrets
    from gitlab_emulator.load import Plan
    from gitlab_emulator.outgoing import UnsendableError, prepare

    if list_samples:
        typer.echo(sample_list.listing_as_json() if as_json else sample_list.listing(_columns()))
        return
    try:
        delivery = prepare(
            sample=event,
            event=event_header,
            file_bytes=None if file is None else _read(file),
            amendments=amendments or [],
            gitlab_url=gitlab_url,
            secrets=Secrets(token=secret_token or None, signing_token=signing_token or None),
            now=utc_now(),
            version=VERSIONS[gitlab_version],
        )
    except UnsendableError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USE) from None
    if delivery.secrets.signing_token and not delivery.version.standard_webhooks:
        typer.echo(f"Not signed: GitLab {gitlab_version} has no signing tokens.", err=True)
    plan = Plan(
        url=url,
        body=delivery.body,
        make=lambda: _with_new_ids(delivery, delivery_id),
        count=count,
        rate=rate,
        at_once=concurrency,
        keep_alive=keep_alive,
    )
    raise typer.Exit(_carry_out(plan, delivery, as_json=as_json))


def _carry_out(plan: Plan, delivery: Outgoing, *, as_json: bool) -> int:
    """Send everything, report each delivery or the whole, and return the exit code."""
    from gitlab_emulator import progress, report
    from gitlab_emulator.load_statistics import LoadStatistics

    statistics = LoadStatistics()
    in_lines = plan.rate is None
    line = report.as_json if as_json else report.line
    failure: list[str] = []

    with nullcontext() if in_lines else progress.shown(statistics, count=plan.count) as update:

        def on_sent(delivery_id: str, sent: Sent) -> None:
            if update is not None:
                update()
                failure[:] = [report.why_no_answer(sent, plan.url) or ""]
            else:
                typer.echo(line(delivery, delivery_id, sent, plan.url))

        interrupted = asyncio.run(_until_done_or_interrupted(plan, statistics, on_sent))
    run = statistics.summary()
    if statistics.unreachable and failure:
        typer.echo(failure[0], err=True)
    elif as_json and not in_lines:
        typer.echo(report.summary_as_json(run))
    elif not as_json and (plan.count > 1 or interrupted):
        gap = "\n" if in_lines else ""
        typer.echo(gap + report.summary(run, plan))
    return INTERRUPTED if interrupted else 0 if run.all_ok else 1


async def _until_done_or_interrupted(
    plan: Plan, statistics: LoadStatistics, on_sent: Callable[[str, Sent], None]
) -> bool:
    """Send everything; return whether Ctrl-C or SIGTERM ended it early."""
    from gitlab_emulator.load import send_all

    work = asyncio.create_task(send_all(plan, statistics, on_sent))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    await asyncio.wait({work})
    if work.cancelled():
        return True
    work.result()
    return False


def _with_new_ids(delivery: Outgoing, delivery_id: str | None) -> tuple[str, Mapping[str, str]]:
    from gitlab_emulator.hooks.request import DeliveryIds
    from gitlab_emulator.outgoing import headers

    ids = DeliveryIds(delivery=delivery_id or str(uuid4()), event=str(uuid4()), request=str(uuid4()))
    return ids.delivery, headers(delivery, ids=ids, timestamp_s=int(time.time()))


def _columns() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _read(file: Path) -> bytes:
    from gitlab_emulator.outgoing import UnsendableError

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UnsendableError(f"cannot read {file}: {error.strerror}") from error
