"""How every process logs: one event per line, with the delivery's id, never a secret or a body.

Coloured lines for a terminal, JSON lines otherwise, for our own logs and for those of arq, uvicorn
and httpx alike.
"""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from structlog.typing import ExcInfo, Processor

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(
    process: str,
    *,
    level: str = "info",
    log_format: str = "auto",
    context: Callable[[], Mapping[str, object]] = dict,
) -> None:
    """Send all logs of this process to standard error.

    :param process: ``ingress``, ``worker`` …, added to every JSON line.
    :param level: ``debug``, ``info``, ``warning`` or ``error``.
    :param log_format: ``json``, ``console``, or ``auto``: console on a terminal.
    :param context: gives what a line is about where it does not say so itself: asked for each line, so that
        what is seldom logged costs nothing.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _about(context),
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    rendering: list[Processor]
    if as_json:
        rendering = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        # its own choice of tracebacks shows the values of local variables: bodies, secrets
        renderer = structlog.dev.ConsoleRenderer(
            colors=True, pad_event_to=0, exception_formatter=_plain_traceback
        )
        rendering = [_without_controls, renderer]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                *([_add("process", process)] if as_json else []),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *rendering,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name, quietest in _NOISY.items():
        logging.getLogger(name).setLevel(max(_LEVELS[level], quietest))


_NOISY = {
    # one line per request each, with its query string, which can hold a token: not even at level debug
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "httpx_retries": logging.WARNING,
}


def _about(context: Callable[[], Mapping[str, object]]) -> Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        for name, value in context().items():
            event.setdefault(name, value)
        return event

    return add


def _add(name: str, value: str) -> Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event[name] = value
        return event

    return add


def _without_controls(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Escape what would make a terminal do something; JSON does so by itself."""
    return {name: _visible(value) if isinstance(value, str) else value for name, value in event.items()}


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def _plain_traceback(out: TextIO, exc_info: ExcInfo) -> None:
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    out.write(_visible(plain.getvalue()))
