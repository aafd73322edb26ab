"""The command `serve`: the emulator on a port, with what it has from the start.

Importing it is cheap, so that another command line can take it over as its own; what it needs to work
is imported when it does.
"""

from __future__ import annotations

import logging
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from gitlab_emulator import callback_url as callback_urls
from gitlab_emulator.callback_url import DELAY_S
from gitlab_emulator.clock import MAX_SPEED, utc_now
from gitlab_emulator.gitlab_api.limits import MAX_PER_MINUTE
from gitlab_emulator.version_option import NEWEST_NAME, VersionName

if TYPE_CHECKING:
    import socket

    from gitlab_emulator.state import State
    from gitlab_emulator.third_party import ThirdParty

WRONG_USE = 2
MAX_DELAY_S = 86_400


def serve(
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8002,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="EMULATOR_TOKEN",
            help="Access token with all rights. (default: any token is accepted)",
        ),
    ] = None,
    external_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Base address of links. (default: that of each request)"),
    ] = None,
    user_tokens: Annotated[
        list[str] | None,
        typer.Option(
            "--user-token",
            metavar="TOKEN=USER[:SCOPES]",
            envvar="EMULATOR_USER_TOKENS",
            help="Access token of a user; repeatable. In the variable separated by blanks.",
        ),
    ] = None,
    rate_limit: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Calls per minute and user. (default: unlimited)", min=1, max=MAX_PER_MINUTE
        ),
    ] = None,
    state_path: Annotated[
        Path | None,
        typer.Option("--state-file", metavar="FILE", help="Keep the state there. (default: in memory)"),
    ] = None,
    hooks: Annotated[
        list[str] | None,
        typer.Option("--hook", metavar="URL", help="Give the project a webhook for all events; repeatable."),
    ] = None,
    secret_token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", envvar="EMULATOR_SECRET_TOKEN", help="Secret token of --hook."),
    ] = None,
    signing_token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN", envvar="EMULATOR_SIGNING_TOKEN", help="whsec_…: signing token of --hook."
        ),
    ] = None,
    gitlab_version: VersionName = NEWEST_NAME,
    speed: Annotated[
        float,
        typer.Option(
            metavar="N",
            help="Speed of its clock; 60: a second is a minute.",
            min=0.001,
            max=MAX_SPEED,
        ),
    ] = 1.0,
    callback_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="CALLBACK_URL",
            help="Where the third party at /api/endpoint calls back.",
        ),
    ] = None,
    callback_delay: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            envvar="CALLBACK_DELAY",
            help="How long its jobs take.",
            min=0,
            max=MAX_DELAY_S,
        ),
    ] = DELAY_S,
) -> None:
    """Run a GitLab for tests and development.

    Its REST API under /api/v4, its pages under /, and a third party that calls back under /api/endpoint,
    until SIGTERM or Ctrl-C.
    """
    from gitlab_emulator.app import create_app
    from gitlab_emulator.hooks.request import VERSIONS
    from gitlab_emulator.serving import address_of, run
    from gitlab_emulator.state_file import StateFileError, as_text, save
    from gitlab_emulator.third_party import ThirdParty
    from gitlab_emulator.token_specs import read_option

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("gitlab_emulator").setLevel(logging.INFO)
    try:
        called = callback_urls.checked(callback_url) if callback_url else None
        state = _state(state_path)
        for url in hooks or []:
            _add_hook(state, url, token=secret_token or None, signing_token=signing_token or None)
        third_party = ThirdParty(called, clock=utc_now, delay_s=callback_delay)
        app = create_app(
            state,
            token=token or None,
            external_url=external_url,
            version=VERSIONS[gitlab_version],
            third_party=third_party,
            tokens=[read_option(text) for text in user_tokens or []],
            rate_limit=rate_limit,
            state_path=state_path,
        )
        if state_path is not None:
            save(state_path, as_text(state))  # now, so that a path that cannot be written is known at once
    except (ValueError, StateFileError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USE) from None
    app.state.clock.set(speed=speed)
    listener = _listen(host, port)
    run(app, listener, when_serving=lambda: _welcome(address_of(listener), state, third_party))


def _state(path: Path | None) -> State:
    """Return the state in the file; a new one where there is no file."""
    from gitlab_emulator.seed import seed
    from gitlab_emulator.state_file import load

    found = None if path is None else load(path)
    return seed() if found is None else found


def _add_hook(state: State, url: str, *, token: str | None, signing_token: str | None) -> None:
    """Give the first project this webhook, unless the state file has it already."""
    from gitlab_emulator.hooks.registration import add_hook

    project_id = next(iter(state.projects), None)
    if project_id is None:
        raise ValueError("there is no project for --hook: use another --state-file")
    if any((hook.project_id, hook.url) == (project_id, url) for hook in state.hooks.values()):
        return
    add_hook(
        state,
        url=url,
        now=utc_now(),
        project_id=project_id,
        switches=["all"],
        token=token,
        signing_token=signing_token,
    )


def _listen(host: str, port: int) -> socket.socket:
    from gitlab_emulator.serving import listen

    try:
        return listen(host, port)
    except OSError as error:
        text = f"cannot listen on {host} port {port}: {error.strerror}. Choose another with --port."
        typer.echo(text, err=True)
        raise typer.Exit(1) from None


def _welcome(address: str, state: State, third_party: ThirdParty) -> None:
    typer.echo(f"GitLab emulator at {address} (API: {address}/api/v4)")
    for hook in state.hooks.values():
        typer.echo(f"Webhook {hook.id}: {callback_urls.shown(hook.url)}")
    typer.echo(f"Third party at {address}/api/endpoint: {_callbacks(third_party)}")


def _callbacks(third_party: ThirdParty) -> str:
    if third_party.callback_url is None:
        return "takes jobs, but makes no callbacks: set CALLBACK_URL or --callback-url"
    return f"calls back {callback_urls.shown(third_party.callback_url)} after {third_party.delay_s:g} s"
