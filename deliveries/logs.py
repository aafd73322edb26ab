"""How every process logs: one event per line, with the delivery's id, never a secret or a body.

Coloured lines for a terminal, JSON lines otherwise, for our own logs and for those of arq, uvicorn
and httpx alike.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(process: str, *, level: str = "info", log_format: str = "auto") -> None:
    """Send all logs of this process to standard error.

    :param process: ``ingress``, ``worker`` …, added to every JSON line.
    :param level: ``debug``, ``info``, ``warning`` or ``error``.
    :param log_format: ``json``, ``console``, or ``auto``: console on a terminal.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
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
        rendering = [structlog.dev.ConsoleRenderer(colors=True, pad_event_to=0)]
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
    for name, quietest in _NOISY.items():
        logging.getLogger(name).setLevel(max(_LEVELS[level], quietest) if level != "debug" else logging.DEBUG)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True


_NOISY = {
    # one line per request each, and httpx's holds the query string
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "httpx_retries": logging.WARNING,
}


def _add(name: str, value: str) -> Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event[name] = value
        return event

    return add
