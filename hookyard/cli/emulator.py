"""Commands that hand their options on to the emulator: ``send`` a webhook, run the ``emulator``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from hookyard.cli.context import CliContext, context_or_exit
from hookyard.cli.launch import emulator_secrets, exec_module
from hookyard.cli.output.terminal import EXIT_USAGE, stop


def send(
    event: Annotated[
        str | None, typer.Argument(metavar="KIND", help="A sample's name; --list shows them.")
    ] = None,
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
        typer.Option(metavar="FILE", help="Send this file as the body (- is standard input)."),
    ] = None,
    event_header: Annotated[
        str | None,
        typer.Option(
            "--event", metavar="EVENT", help="The X-Gitlab-Event header. (default: the sample's or file's)"
        ),
    ] = None,
    gitlab_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The GitLab that it comes from.")
    ] = None,
    gitlab_version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Whose headers to send: 19.1 (default), 18 or 17.3."),
    ] = None,
    count: Annotated[
        int, typer.Option(metavar="N", help="How many; without --rate one after the other.", min=1)
    ] = 1,
    rate: Annotated[
        float | None,
        typer.Option(metavar="N", help="Deliveries per second, whether answers come or not.", min=0.01),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(metavar="N", help="With --rate: at most so many without an answer.", min=1)
    ] = None,
    keep_alive: Annotated[
        bool, typer.Option("--keep-alive", help="Use connections again. (GitLab opens one for each)")
    ] = False,
    list_samples: Annotated[bool, typer.Option("--list", help="List the samples and stop.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object per delivery; with --rate one of the summary.")
    ] = False,
) -> None:
    """Send a sample webhook the way GitLab does.

    With its headers, and the first of GL_SECRET and of GL_SIGNING_TOKEN, if set.
    """
    if event is None and file is None and not list_samples:
        stop("Which event? See them with: hookyard send --list", EXIT_USAGE)
    context = context_or_exit()
    options = {
        "--url": url or _ingress(context),
        "--id": delivery_id,
        "--file": file,
        "--event": event_header,
        "--gitlab-url": gitlab_url or (context.settings.gitlab_url if _has_gitlab(context) else None),
        "--gitlab-version": gitlab_version,
        "--count": count,
        "--rate": rate,
        "--concurrency": concurrency,
    }
    arguments = _arguments(options)
    arguments += [part for amendment in amendments or () for part in ("--set", amendment)]
    flags = {"--keep-alive": keep_alive, "--list": list_samples, "--json": as_json}
    arguments += [name for name, wanted in flags.items() if wanted]
    arguments += ["--", event] if event is not None else []
    exec_module("gitlab_emulator", "send", *arguments, environment=emulator_secrets(context.settings))


def emulator(
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", help="Port to listen on.", min=0, max=65535)] = 8002,
    external_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address for links. (default: the one asked)", show_default=False),
    ] = None,
    rate_limit: Annotated[
        int | None, typer.Option(metavar="N", help="Calls a minute that a user may make. (default: any)")
    ] = None,
    state_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keep its state there. (default: in memory)")
    ] = None,
    hooks: Annotated[
        list[str] | None,
        typer.Option(
            "--hook", metavar="URL", help="Give its project a webhook, with our secrets; repeatable."
        ),
    ] = None,
    gitlab_version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Whose webhooks: 19.1 (default), 18 or 17.3.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(metavar="N", help="How many times as fast its clock runs.")
    ] = None,
    callback_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where the third party of POST /api/endpoint calls back."),
    ] = None,
    callback_delay: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long its jobs take. (default: 5)")
    ] = None,
) -> None:
    """Run a stand-in for GitLab.

    Its REST API under /api/v4, pages under /, and a third party that calls back under /api/endpoint.
    """
    options = {
        "--host": host,
        "--port": port,
        "--external-url": external_url,
        "--rate-limit": rate_limit,
        "--state-file": state_file,
        "--gitlab-version": gitlab_version,
        "--speed": speed,
        "--callback-url": callback_url,
        "--callback-delay": callback_delay,
    }
    arguments = _arguments(options)
    arguments += [part for hook in hooks or () for part in ("--hook", hook)]
    exec_module(
        "gitlab_emulator",
        "serve",
        *arguments,
        environment=emulator_secrets(context_or_exit().settings) if hooks else {},
    )


def _arguments(options: Mapping[str, object]) -> list[str]:
    """The options that were given, as a command line has them."""
    return [part for name, value in options.items() if value is not None for part in (name, str(value))]


def _has_gitlab(context: CliContext) -> bool:
    return "GL_URL" in context.given or "GL_URL" in context.inherited


def _ingress(context: CliContext) -> str:
    if context.stack is not None and "HOOKYARD_PORT" not in context.given:
        return context.stack.addresses["ingress"]
    return f"http://127.0.0.1:{context.settings.port}/"
