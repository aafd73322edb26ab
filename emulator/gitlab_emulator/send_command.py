"""`send`: one webhook, many, or the list of what there is to send."""

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

from gitlab_emulator import progress, report, sample_list
from gitlab_emulator.clock import utc_now
from gitlab_emulator.hooks.request import VERSIONS, DeliveryIds, Secrets
from gitlab_emulator.load import Plan, send_all
from gitlab_emulator.load_statistics import LoadStatistics
from gitlab_emulator.outgoing import UnsendableError, headers, prepare
from gitlab_emulator.version_option import NEWEST_NAME, VersionName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitlab_emulator.hooks.sending import Sent
    from gitlab_emulator.outgoing import Outgoing

WRONG_USE, INTERRUPTED = 2, 130


def send(  # noqa: PLR0913 - one parameter per option
    event: Annotated[
        str | None, typer.Argument(metavar="KIND", help="A sample's name; --list shows them.")
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
        typer.Option("--id", metavar="ID", help="Delivery id; with --count the same for all. (default: new)"),
    ] = None,
    amendments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Change the body, e.g. object_attributes.action=close."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Send this file's bytes as the body (- is standard input).", allow_dash=True
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
        str, typer.Option(metavar="URL", help="The GitLab that it comes from.")
    ] = "http://127.0.0.1:8002",
    gitlab_version: VersionName = NEWEST_NAME,
    count: Annotated[
        int, typer.Option(metavar="N", help="How many; without --rate one after the other.", min=1)
    ] = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Deliveries per second, whether answers come or not.", min=0.01, max=10_000
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(metavar="N", help="With --rate: at most so many without an answer.", min=1, max=500)
    ] = 100,
    keep_alive: Annotated[
        bool, typer.Option("--keep-alive", help="Use connections again. (GitLab opens one for each)")
    ] = False,
    list_samples: Annotated[bool, typer.Option("--list", help="List the samples and stop.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object per delivery; with --rate one of the summary.")
    ] = False,
) -> None:
    """Send a webhook the way GitLab does: 10 s, no retry. Exit 0 if every answer was 2xx."""
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
        typer.echo(f"not signed: GitLab {gitlab_version} knows no signing tokens", err=True)
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
    """Send all, and tell: of each in a line, or of all at the end. Gives the exit code."""
    statistics = LoadStatistics()
    in_lines = plan.rate is None
    line = report.as_json if as_json else report.line
    failure: list[str] = []

    with nullcontext() if in_lines else progress.shown(statistics, count=plan.count) as update:

        def told(delivery_id: str, sent: Sent) -> None:
            if update is not None:
                update()
                failure[:] = [report.why_no_answer(sent, plan.url) or ""]
            else:
                typer.echo(line(delivery, delivery_id, sent, plan.url))

        interrupted = asyncio.run(_until_done_or_told_to_stop(plan, statistics, told))
    run = statistics.summary()
    if statistics.in_vain and failure:
        typer.echo(failure[0], err=True)
    elif as_json and not in_lines:
        typer.echo(report.summary_as_json(run))
    elif not as_json and (plan.count > 1 or interrupted):
        gap = "\n" if in_lines else ""
        typer.echo(gap + report.summary(run, count=plan.count, rate=plan.rate, at_once=plan.at_once))
    return INTERRUPTED if interrupted else 0 if run.all_ok else 1


async def _until_done_or_told_to_stop(
    plan: Plan, statistics: LoadStatistics, told: Callable[[str, Sent], None]
) -> bool:
    """Send all; whether Ctrl-C or SIGTERM ended it before."""
    work = asyncio.create_task(send_all(plan, statistics, told))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    await asyncio.wait({work})
    if work.cancelled():
        return True
    work.result()
    return False


def _with_new_ids(delivery: Outgoing, delivery_id: str | None) -> tuple[str, Mapping[str, str]]:
    ids = DeliveryIds(delivery=delivery_id or str(uuid4()), event=str(uuid4()), request=str(uuid4()))
    return ids.delivery, headers(delivery, ids=ids, timestamp_s=int(time.time()))


def _columns() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UnsendableError(f"cannot read {file}: {error.strerror}") from error
