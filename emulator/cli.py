"""The emulator's command line: `serve` a GitLab, `send` its webhooks."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from emulator import report
from emulator.app import create_app, utc_now
from emulator.hooks import DeliveryIds, Secrets
from emulator.outgoing import UnsendableError, headers, prepare
from emulator.sending import Refused, Unsendable, open_client, post
from emulator.serving import address_of, listen, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.outgoing import Outgoing

cli = typer.Typer(
    help="A stand-in for GitLab: serves its API, sends its webhooks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # tracebacks with local variables would show secrets
)


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8002,
    token: Annotated[
        str | None, typer.Option(envvar="EMULATOR_TOKEN", help="The only access token taken. (default: any)")
    ] = None,
    external_url: Annotated[
        str | None, typer.Option(help="Address for links. (default: the one that each request came to)")
    ] = None,
) -> None:
    """Serve the API under /api/v4 and pages under /, until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("emulator").setLevel(logging.INFO)
    try:
        listener = listen(host, port)
    except OSError as error:
        typer.echo(
            f"cannot listen on {host} port {port}: {error.strerror}. Choose another with --port.", err=True
        )
        raise typer.Exit(1) from None
    address = address_of(listener)
    run(
        create_app(token=token or None, external_url=external_url),
        listener,
        before_serving=lambda: typer.echo(f"GitLab emulator at {address} (API: {address}/api/v4)"),
    )


@cli.command()
def send(  # noqa: PLR0913 - one parameter per option
    event: Annotated[str | None, typer.Argument(help="A sample's name; --list shows them.")] = None,
    *,
    url: Annotated[str, typer.Option(help="Where to send it.")] = "http://127.0.0.1:8000/",
    secret_token: Annotated[
        str | None, typer.Option(envvar="EMULATOR_SECRET_TOKEN", help="Sent as X-Gitlab-Token.")
    ] = None,
    signing_token: Annotated[
        str | None, typer.Option(envvar="EMULATOR_SIGNING_TOKEN", help="whsec_…: signs the delivery.")
    ] = None,
    delivery_id: Annotated[
        str | None, typer.Option("--id", help="Delivery id; with --count the same for all. (default: new)")
    ] = None,
    amendments: Annotated[
        list[str] | None, typer.Option("--set", help="Change the body, e.g. object_attributes.action=close.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Send this file's bytes as the body (- is standard input).", allow_dash=True),
    ] = None,
    event_header: Annotated[
        str | None, typer.Option("--event", help='X-Gitlab-Event, e.g. "Push Hook". (default: the sample\'s)')
    ] = None,
    gitlab_url: Annotated[str, typer.Option(help="The GitLab that it comes from.")] = "http://127.0.0.1:8002",
    count: Annotated[int, typer.Option(help="How many, one after the other.", min=1)] = 1,
    list_samples: Annotated[bool, typer.Option("--list", help="List the samples and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per delivery.")] = False,
) -> None:
    """Send a webhook the way GitLab 19.1 does: 10 s, no retry. Exit 0 if every answer was 2xx."""
    if list_samples:
        typer.echo(report.listing_as_json() if as_json else report.listing())
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
        )
    except UnsendableError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    show = report.as_json if as_json else report.line
    ok = asyncio.run(_send(delivery, url=url, delivery_id=delivery_id, count=count, show=show))
    raise typer.Exit(0 if ok else 1)


async def _send(
    delivery: Outgoing, *, url: str, delivery_id: str | None, count: int, show: Callable[..., str]
) -> bool:
    """Send it so many times; whether all were taken. Stops when nobody listens."""
    all_ok = True
    async with open_client() as client:
        for _ in range(count):
            ids = DeliveryIds(delivery=delivery_id or str(uuid4()), event=str(uuid4()), request=str(uuid4()))
            sent = await post(
                client, url, headers(delivery, ids=ids, timestamp_s=int(time.time())), delivery.body
            )
            typer.echo(show(delivery, ids.delivery, sent, url))
            all_ok = all_ok and sent.ok
            if isinstance(sent.ending, Refused | Unsendable):
                return False
    return all_ok


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UnsendableError(f"cannot read {file}: {error.strerror}") from error
