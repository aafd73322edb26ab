"""The command ``hookyard``: its subcommands, by what they are for."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer

from hookyard.cli import (
    api,
    console,
    deliveries,
    emulator,
    health,
    importing,
    preflight,
    replay,
    serve,
    toolbox,
    trial,
    webhooks,
)
from hookyard.cli.check.command import check
from hookyard.cli.new.project import new
from hookyard.cli.output.encoding import print_on_any_locale
from hookyard.cli.up.command import up

START: Final = "Start"
DELIVERIES: Final = "Deliveries"
GITLAB: Final = "GitLab's side"
TROUBLESHOOT: Final = "Try it out and troubleshoot"
PROCESSES: Final = "Single processes, for production"

app = typer.Typer(
    name="hookyard",
    help="Answer GitLab's webhooks at once, lose none, and run your gidgetlab handlers.",
    epilog="New here? Run `hookyard up` and do what it prints in a second terminal.\n\n"
    "Commands work on the `hookyard up` of the current directory, unless REDIS_URL and GL_URL say otherwise.",
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
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


app.command(
    rich_help_panel=START,
    epilog=_examples("hookyard up", "HOOKYARD_HANDLERS=mybot:router hookyard up --workers 2"),
)(up)
app.command(rich_help_panel=START, epilog=_examples("hookyard new mybot"))(new)

app.command(
    rich_help_panel=DELIVERIES,
    epilog=_examples(
        "hookyard deliveries --state failed --since 2h",
        'hookyard deliveries --event "merge request" --project group/app',
        "hookyard deliveries --error timeout --json | jq -r '.deliveries[].id'",
    ),
)(deliveries.deliveries)
app.command(
    rich_help_panel=DELIVERIES,
    epilog=_examples("hookyard show 3f6c --traceback", "hookyard show 3f6c --body > body.json"),
)(deliveries.show)
app.command(
    rich_help_panel=DELIVERIES,
    epilog=_examples("hookyard replay 3f6c", "hookyard replay --state failed --since 2h --failed-only"),
)(replay.replay)
app.command(
    rich_help_panel=DELIVERIES,
    epilog=_examples("hookyard discard 3f6c", "hookyard discard --state ignored --until 7d"),
)(replay.discard)
app.command(rich_help_panel=DELIVERIES, epilog=_examples("hookyard stats --watch", "hookyard stats --json"))(
    deliveries.stats
)

app.command(rich_help_panel=DELIVERIES, epilog=_examples("hookyard schedules"))(toolbox.schedules)
app.command(
    rich_help_panel=DELIVERIES,
    epilog=_examples("hookyard breakers", "hookyard breakers --lift group/app!7"),
)(toolbox.breakers)

app.command(rich_help_panel=GITLAB, epilog=_examples("hookyard hooks", "hookyard hooks group/app --enable"))(
    webhooks.hooks
)
app.command(rich_help_panel=GITLAB, epilog=_examples("hookyard missed --since 2h", "hookyard missed --lost"))(
    importing.missed
)
app.command(
    "import",
    rich_help_panel=GITLAB,
    epilog=_examples("hookyard import --dry-run", "hookyard import --since 2h --project group/app"),
)(importing.import_)

emulator.add_send(
    app,
    rich_help_panel=TROUBLESHOOT,
    epilog=_examples(
        "hookyard send issue-open",
        "hookyard send push --rate 200 --count 10000",
        "hookyard send issue-update --set object_attributes.action=close",
        'hookyard send --file body.json --event "Issue Hook"',
    ),
)
app.command(
    rich_help_panel=TROUBLESHOOT,
    epilog=_examples(
        "hookyard api GET /projects/1/issues/1/notes",
        "hookyard api GET /projects/group%2Fapp/issues state=opened --paginate",
        'hookyard api POST /projects/1/issues title="From here" confidential:=true',
    ),
)(api.api)
app.command(
    "try",
    rich_help_panel=TROUBLESHOOT,
    epilog=_examples("hookyard try issue-open --dry-run", "hookyard try 3f6c"),
)(trial.try_)
app.command(rich_help_panel=TROUBLESHOOT)(check)

app.command(
    rich_help_panel=PROCESSES,
    epilog=_examples("hookyard ingress --host 0.0.0.0 --port 8000 --spool-dir /var/spool/hookyard"),
)(serve.ingress)
app.command(
    rich_help_panel=PROCESSES,
    epilog=_examples("hookyard worker --handlers mybot:router --slots 50", "hookyard worker --burst"),
)(serve.worker)
app.command(
    rich_help_panel=PROCESSES,
    epilog=_examples("hookyard console", "hookyard console --host 0.0.0.0 --port 8001"),
)(console.console)
app.command(
    rich_help_panel=PROCESSES,
    epilog=_examples(
        "hookyard credentials ann --role operator", "hookyard credentials ci --role viewer --token"
    ),
)(console.credentials)
emulator.add_emulator(
    app,
    rich_help_panel=PROCESSES,
    epilog=_examples(
        "hookyard emulator --hook http://127.0.0.1:8000/",
        "hookyard emulator --callback-url http://127.0.0.1:9000/ --callback-delay 1",
    ),
)
app.command(rich_help_panel=PROCESSES)(preflight.preflight)
app.command(rich_help_panel=PROCESSES, epilog=_examples("hookyard health ingress"))(health.health)


def main() -> None:
    """Run the command line; a reader that has gone away (``| head``) ends it without a traceback."""
    print_on_any_locale()
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
