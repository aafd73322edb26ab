"""The commands that run one process in the foreground: ``ingress`` and ``worker``.

Their options are settings: each is handed to the process as the setting's environment variable.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NoReturn

import typer

from hookyard.cli.context import context_or_exit
from hookyard.cli.launch import exec_module
from hookyard.settings.settings import Settings, variable

_REDIS: Final = ("REDIS_URL", "HOOKYARD_PREFIX")
_BOT: Final = ("GL_URL", "HOOKYARD_HANDLERS")


def setting_option(field: str, metavar: str, text: str, *, name: str | None = None) -> Any:
    """Return the option that sets *field* of the settings; its default is the environment's."""
    default = Settings.model_fields[field].default
    fallback = "" if default in {None, ""} else f", else {default}"
    return typer.Option(
        name or f"--{field.replace('_', '-')}",
        metavar=metavar,
        help=text,
        show_default=f"{variable(field)}{fallback}",
    )


LogLevelOption = Annotated[
    str | None, setting_option("log_level", "LEVEL", "Least severe log lines: debug, info, warning or error.")
]
LogFormatOption = Annotated[
    str | None, setting_option("log_format", "FORMAT", "Log lines as json or console.")
]


def ingress(
    *,
    host: Annotated[str | None, setting_option("host", "HOST", "Address to listen on.")] = None,
    port: Annotated[
        str | None, setting_option("port", "PORT", "Port to listen on; 0 takes a free one.")
    ] = None,
    spool_dir: Annotated[
        str | None, setting_option("spool_dir", "DIRECTORY", "Where deliveries wait while Redis is away.")
    ] = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Run an ingress, which accepts GitLab's webhooks."""
    start_process(
        "ingress",
        inherit=_REDIS,
        host=host,
        port=port,
        spool_dir=spool_dir,
        log_level=log_level,
        log_format=log_format,
    )


def worker(
    *,
    handlers: Annotated[
        str | None, setting_option("handlers", "MODULE:ROUTER", "The bot's router, such as mybot:router.")
    ] = None,
    slots: Annotated[
        str | None, setting_option("slots", "N", "How many deliveries to run at a time.")
    ] = None,
    burst: Annotated[bool, typer.Option("--burst", help="Stop when the queue is empty.")] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="Load the bot again when its files change.")
    ] = False,
    metrics_port: Annotated[
        str | None, setting_option("metrics_port", "PORT", "Port for /metrics and /health; 0 for none.")
    ] = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Run a worker, which runs the bot's handlers.

    The current directory is searched first for the bot's modules.
    """
    start_process(
        "worker",
        inherit=(*_REDIS, *_BOT),
        handlers=handlers,
        slots=slots,
        burst="true" if burst else None,
        reload="true" if reload else None,
        metrics_port=metrics_port,
        log_level=log_level,
        log_format=log_format,
    )


def start_process(module: str, *, inherit: tuple[str, ...], **options: str | None) -> NoReturn:
    """Become the process *module*, with the *options* that were given over the environment's settings."""
    given = {variable(field): value for field, value in options.items() if value is not None}
    context = context_or_exit(**given)
    inherited = {name: value for name, value in context.inherited.items() if name in inherit}
    exec_module(module, overrides=given, defaults=inherited)
