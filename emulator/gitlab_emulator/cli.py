"""The command `gitlab-emulator`: `serve` a GitLab, `send` its webhooks."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from gitlab_emulator.send_command import send
from gitlab_emulator.serve_command import serve

NAME = "gitlab-emulator"

cli = typer.Typer(
    name=NAME,
    help="A GitLab for tests and development: its REST API, its webhooks and its pages, in one process.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # tracebacks with local variables would show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)


def examples(*lines: str) -> str:
    """Return an epilog that shows these command lines, each on a line."""
    return "\b\n" + "\n".join(f"  {line}" for line in lines)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer makes a flag of a bool
    if wanted:
        typer.echo(f"{NAME} {version(NAME)}")
        raise typer.Exit


@cli.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


cli.command(
    epilog=examples(
        "gitlab-emulator serve --hook http://127.0.0.1:8000/",
        "CALLBACK_URL=http://127.0.0.1:5000 gitlab-emulator serve",
    )
)(serve)
cli.command(
    epilog=examples(
        "gitlab-emulator send issue-open",
        "gitlab-emulator send push --rate 200 --count 10000",
        "gitlab-emulator send issue-update --set object_attributes.action=close",
        'gitlab-emulator send --file body.json --event "Issue Hook"',
    )
)(send)


def main() -> None:
    """Run the command line, under its own name also when started as a module."""
    cli(prog_name=NAME)
