"""The emulator's own commands in Hookyard: ``send`` a webhook, run the ``emulator``.

They are the functions of the package gitlab-emulator, with all of their options; what differs is where the
defaults come from: the ingress and the secrets of this context. Production does without the package, and
then both say what to install.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hookyard.cli.context import CliContext, context_or_exit
from hookyard.cli.launch import emulator_secrets
from hookyard.cli.output.terminal import EXIT_USAGE, stop

if TYPE_CHECKING:
    from collections.abc import Callable

IS_INSTALLED: Final = find_spec("gitlab_emulator") is not None
NEEDED: Final = (
    "The GitLab emulator is not installed: pip install gitlab-emulator, which hookyard[test] includes."
)


class _Default:
    """An option's default that is looked up when the command runs, and is shown as *shown* in its help."""

    def __init__(self, shown: str, find: Callable[[CliContext], str | None]) -> None:
        self._shown = shown
        self._find = find

    def __call__(self) -> str | None:
        """Return the default; wrong settings end the command with exit code 2."""
        return self._find(context_or_exit())

    def __str__(self) -> str:
        return self._shown


def add_send(app: typer.Typer, *, rich_help_panel: str, epilog: str) -> None:
    """Add the emulator's ``send`` to *app*: from ``GL_URL`` to the ingress here, with our secrets."""
    if not IS_INSTALLED:
        _add_placeholder(
            app, "send", "Send a webhook the way GitLab does.", rich_help_panel=rich_help_panel, epilog=epilog
        )
        return
    from gitlab_emulator.send_command import GITLAB_URL, send

    defaults = {
        "url": _Default("the ingress here", _ingress),
        "secret_token": _Default("the first of GL_SECRET", _secret("EMULATOR_SECRET_TOKEN")),
        "signing_token": _Default("the first of GL_SIGNING_TOKEN", _secret("EMULATOR_SIGNING_TOKEN")),
        "gitlab_url": _Default(
            f"GL_URL, else {GITLAB_URL}",
            lambda context: context.settings.gitlab_url if _has_gitlab(context) else GITLAB_URL,
        ),
    }
    app.command(
        "send", context_settings={"default_map": defaults}, rich_help_panel=rich_help_panel, epilog=epilog
    )(send)


def add_emulator(app: typer.Typer, *, rich_help_panel: str, epilog: str) -> None:
    """Add the emulator's ``serve`` to *app* as ``emulator``: its ``--hook`` has our secrets."""
    if not IS_INSTALLED:
        _add_placeholder(
            app,
            "emulator",
            "Run a GitLab for tests and development.",
            rich_help_panel=rich_help_panel,
            epilog=epilog,
        )
        return
    from gitlab_emulator.serve_command import serve

    defaults = {
        "secret_token": _Default("the first of GL_SECRET", _secret("EMULATOR_SECRET_TOKEN")),
        "signing_token": _Default("the first of GL_SIGNING_TOKEN", _secret("EMULATOR_SIGNING_TOKEN")),
    }
    app.command(
        "emulator", context_settings={"default_map": defaults}, rich_help_panel=rich_help_panel, epilog=epilog
    )(serve)


def _add_placeholder(app: typer.Typer, name: str, summary: str, *, rich_help_panel: str, epilog: str) -> None:
    def needs_the_emulator(
        _arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    ) -> None:
        stop(NEEDED, EXIT_USAGE)

    app.command(
        name,
        help=f"{summary} (needs: pip install gitlab-emulator)",
        context_settings={"ignore_unknown_options": True},
        rich_help_panel=rich_help_panel,
        epilog=epilog,
    )(needs_the_emulator)


def _secret(name: str) -> Callable[[CliContext], str | None]:
    return lambda context: emulator_secrets(context.settings).get(name)


def _has_gitlab(context: CliContext) -> bool:
    return "GL_URL" in context.given or "GL_URL" in context.inherited


def _ingress(context: CliContext) -> str:
    if context.stack is not None and "HOOKYARD_PORT" not in context.given:
        return context.stack.addresses["ingress"]
    return f"http://127.0.0.1:{context.settings.port}/"
