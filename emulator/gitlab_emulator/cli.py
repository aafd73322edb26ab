"""The emulator's command line: `serve` a GitLab, `send` its webhooks."""

from __future__ import annotations

import typer

from gitlab_emulator.send_command import send
from gitlab_emulator.serve_command import serve

cli = typer.Typer(
    help="A stand-in for GitLab: serves its API, sends its webhooks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # tracebacks with local variables would show secrets
)
cli.command()(serve)
cli.command()(send)
