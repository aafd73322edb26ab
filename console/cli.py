"""The command ``hookyard``: which commands there are, and those that only start a process."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated, Final

import typer

from console import check, orders, reading, up
from console.client import Place, find_place_or_stop
from console.screen import WRONG_USE, stop
from console.up_environment import become

RUN: Final = "Run it"
LOOK: Final = "See and mend what happened"
TRY: Final = "Try it out, find faults"
ONE: Final = "Run one process (in production)"

_REDIS: Final = ("REDIS_URL", "HOOKYARD_PREFIX")
_GITLAB: Final = ("GL_URL",)

app = typer.Typer(
    name="hookyard",
    help="Hookyard answers GitLab's webhooks at once, forgets none, and runs your gidgetlab handlers.",
    epilog="\b\nTen minutes? `hookyard up`, and in a second terminal what it prints.\n"
    "Commands find the `up` that runs in this directory; else they go by REDIS_URL and GL_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # tracebacks with local variables would show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _examples(*lines: str) -> str:
    return "\b\n" + "\n".join(f"  {line}" for line in lines)


app.command(
    rich_help_panel=RUN,
    epilog=_examples("hookyard up", "HOOKYARD_HANDLERS=mybot:router hookyard up --workers 2"),
)(up.up)
app.command(
    rich_help_panel=LOOK,
    epilog=_examples(
        "hookyard deliveries --state failed --since 2h",
        'hookyard deliveries --event "merge request" --project group/app',
        "hookyard deliveries --error timeout --json | jq -r '.deliveries[].id'",
    ),
)(reading.deliveries)
app.command(
    name="show",
    rich_help_panel=LOOK,
    epilog=_examples("hookyard show 3f6c --traceback", "hookyard show 3f6c --body > body.json"),
)(reading.show_one)
app.command(
    rich_help_panel=LOOK,
    epilog=_examples("hookyard replay 3f6c", "hookyard replay --state failed --since 2h --failed-only"),
)(orders.replay)
app.command(
    rich_help_panel=LOOK,
    epilog=_examples("hookyard discard 3f6c", "hookyard discard --state ignored --until 7d"),
)(orders.discard)
app.command(rich_help_panel=LOOK, epilog=_examples("hookyard stats --watch", "hookyard stats --json"))(
    reading.stats
)


@app.command(
    rich_help_panel=TRY,
    epilog=_examples(
        "hookyard send issue-open",
        "hookyard send push --count 20",
        "hookyard send issue-update --set object_attributes.action=close",
        'hookyard send --file body.json --event "Issue Hook"',
    ),
)
def send(
    event: Annotated[str | None, typer.Argument(help="A sample's name; --list shows them.")] = None,
    *,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where to send it. (default: the ingress here)", show_default=False),
    ] = None,
    delivery_id: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="ID", help="The delivery's id. (default: a new one)", show_default=False
        ),
    ] = None,
    amendments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change the body, e.g. object_attributes.action=close; repeatable.",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Send this file as the body, with --event (- is standard input)."),
    ] = None,
    event_header: Annotated[
        str | None,
        typer.Option("--event", metavar="EVENT", help='The X-Gitlab-Event header, e.g. "Push Hook".'),
    ] = None,
    gitlab_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The GitLab that it comes from.")
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", help="How many, one after the other.", min=1)] = 1,
    list_samples: Annotated[bool, typer.Option("--list", help="List the samples and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per delivery.")] = False,
) -> None:
    """Send a sample webhook the way GitLab does.

    With its headers, and the first of GL_SECRET and of GL_SIGNING_TOKEN, if set.
    """
    if event is None and file is None and not list_samples:
        stop("Which event? See them with: hookyard send --list", WRONG_USE)
    place = find_place_or_stop()
    arguments = ["--url", url or _ingress(place), "--count", str(count)]
    options = {"--id": delivery_id, "--file": file, "--event": event_header}
    options["--gitlab-url"] = gitlab_url or (place.settings.gitlab_url if _has_gitlab(place) else None)
    arguments += [part for name, value in options.items() if value is not None for part in (name, value)]
    arguments += [part for amendment in amendments or () for part in ("--set", amendment)]
    arguments += [name for name, wanted in (("--list", list_samples), ("--json", as_json)) if wanted]
    arguments += ["--", event] if event is not None else []
    secrets = {
        "EMULATOR_SECRET_TOKEN": place.settings.secret_tokens,
        "EMULATOR_SIGNING_TOKEN": place.settings.signing_tokens,
    }
    first = {name: tokens[0].get_secret_value() for name, tokens in secrets.items() if tokens}
    become("emulator", "send", *arguments, environment=first)


@app.command(
    rich_help_panel=TRY,
    epilog=_examples(
        "hookyard api GET /projects/1/issues/1/notes",
        "hookyard api GET /projects/group%2Fapp/issues state=opened --paginate",
        'hookyard api POST /projects/1/issues title="From here" confidential:=true',
    ),
)
def api(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH, DELETE or HEAD.")],
    path: Annotated[str, typer.Argument(help="As in GitLab's documentation, e.g. /projects/1/issues.")],
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Query of a GET, else JSON body. KEY:=JSON for no text."),
    ] = None,
    paginate: Annotated[bool, typer.Option("--paginate", help="Follow a list to its end.")] = False,
) -> None:
    """Make one GitLab REST call as a handler would.

    With the worker's client, GL_URL and GL_ACCESS_TOKEN; prints the answer as JSON.
    """
    place = find_place_or_stop()
    arguments = [*(["--paginate"] if paginate else []), "--", method, path, *(fields or ())]
    become("worker.api", *arguments, environment=_from(place, *_GITLAB))


app.command(rich_help_panel=TRY)(check.check)


@app.command(rich_help_panel=ONE)
def ingress() -> None:
    """Run an ingress, which takes GitLab's webhooks.

    It listens at HOOKYARD_HOST and HOOKYARD_PORT.
    """
    become("ingress", environment=_from(find_place_or_stop(), *_REDIS))


@app.command(rich_help_panel=ONE)
def worker(
    burst: Annotated[bool, typer.Option("--burst", help="End when the queue is empty.")] = False,
) -> None:
    """Run a worker, which runs the handlers.

    Those of the router in HOOKYARD_HANDLERS.
    """
    environment = _from(find_place_or_stop(), *_REDIS, *_GITLAB, "HOOKYARD_HANDLERS")
    become("worker", *(["--burst"] if burst else []), environment=environment)


@app.command(rich_help_panel=ONE)
def emulator(
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", help="Port to listen on.", min=0, max=65535)] = 8002,
    external_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address for links. (default: the one asked)", show_default=False),
    ] = None,
) -> None:
    """Run a stand-in for GitLab.

    Its REST API under /api/v4, pages under /, everything in memory.
    """
    arguments = ["--host", host, "--port", str(port)]
    arguments += ["--external-url", external_url] if external_url else []
    become("emulator", "serve", *arguments, environment={})


def _from(place: Place, *names: str) -> dict[str, str]:
    return {name: value for name, value in place.inherited.items() if name in names}


def _has_gitlab(place: Place) -> bool:
    return "GL_URL" in place.given or "GL_URL" in place.inherited


def _ingress(place: Place) -> str:
    if place.here is not None and "HOOKYARD_PORT" not in place.given:
        return place.here.addresses["ingress"]
    return f"http://127.0.0.1:{place.settings.port}/"


def main() -> None:
    """Run the command line; a reader that has gone away (``| head``) is no error worth a traceback."""
    try:
        app()
    finally:
        with contextlib.suppress(OSError):
            try:
                sys.stdout.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
