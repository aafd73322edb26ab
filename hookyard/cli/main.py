"""The command ``hookyard``: which commands there are, and those that only start a process."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer

from hookyard.cli import deliveries, emulator, health, preflight, replay
from hookyard.cli.check.command import check
from hookyard.cli.context import CliContext, context_or_exit
from hookyard.cli.launch import exec_module
from hookyard.cli.up.command import up

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


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"hookyard {version('hookyard')}")
        raise typer.Exit


@app.callback()
def _hookyard(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def _examples(*lines: str) -> str:
    return "\b\n" + "\n".join(f"  {line}" for line in lines)


app.command(
    rich_help_panel=RUN,
    epilog=_examples("hookyard up", "HOOKYARD_HANDLERS=mybot:router hookyard up --workers 2"),
)(up)
app.command(
    rich_help_panel=LOOK,
    epilog=_examples(
        "hookyard deliveries --state failed --since 2h",
        'hookyard deliveries --event "merge request" --project group/app',
        "hookyard deliveries --error timeout --json | jq -r '.deliveries[].id'",
    ),
)(deliveries.deliveries)
app.command(
    name="show",
    rich_help_panel=LOOK,
    epilog=_examples("hookyard show 3f6c --traceback", "hookyard show 3f6c --body > body.json"),
)(deliveries.show_delivery)
app.command(
    rich_help_panel=LOOK,
    epilog=_examples("hookyard replay 3f6c", "hookyard replay --state failed --since 2h --failed-only"),
)(replay.replay)
app.command(
    rich_help_panel=LOOK,
    epilog=_examples("hookyard discard 3f6c", "hookyard discard --state ignored --until 7d"),
)(replay.discard)
app.command(rich_help_panel=LOOK, epilog=_examples("hookyard stats --watch", "hookyard stats --json"))(
    deliveries.stats
)


emulator.add_send(
    app,
    rich_help_panel=TRY,
    epilog=_examples(
        "hookyard send issue-open",
        "hookyard send push --rate 200 --count 10000",
        "hookyard send issue-update --set object_attributes.action=close",
        'hookyard send --file body.json --event "Issue Hook"',
    ),
)


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
    context = context_or_exit()
    arguments = [*(["--paginate"] if paginate else []), "--", method, path, *(fields or ())]
    exec_module("hookyard.cli.api", *arguments, environment=_from(context, *_GITLAB))


app.command(rich_help_panel=TRY)(check)


@app.command(rich_help_panel=ONE)
def ingress() -> None:
    """Run an ingress, which takes GitLab's webhooks.

    It listens at HOOKYARD_HOST and HOOKYARD_PORT.
    """
    exec_module("ingress", environment=_from(context_or_exit(), *_REDIS))


@app.command(rich_help_panel=ONE)
def worker(
    burst: Annotated[bool, typer.Option("--burst", help="End when the queue is empty.")] = False,
) -> None:
    """Run a worker, which runs the handlers.

    Those of the router in HOOKYARD_HANDLERS.
    """
    environment = _from(context_or_exit(), *_REDIS, *_GITLAB, "HOOKYARD_HANDLERS")
    exec_module("worker", *(["--burst"] if burst else []), environment=environment)


emulator.add_emulator(
    app,
    rich_help_panel=ONE,
    epilog=_examples(
        "hookyard emulator --hook http://127.0.0.1:8000/",
        "hookyard emulator --callback-url http://127.0.0.1:9000/ --callback-delay 1",
    ),
)


app.command(rich_help_panel=ONE)(preflight.preflight)
app.command(rich_help_panel=ONE, epilog=_examples("hookyard health ingress"))(health.health)


def _from(context: CliContext, *names: str) -> dict[str, str]:
    return {name: value for name, value in context.inherited.items() if name in names}


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
