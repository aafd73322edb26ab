"""Logs: one event per line on standard error, JSON or coloured, never a secret or a body.

Our own loggers form a private hierarchy with a private structlog configuration: a bot that calls
``logging.config.dictConfig`` or ``structlog.configure`` changes its own lines and not ours. Lines of
libraries and bots go through the standard library's root logger and look the same until a bot configures it.
"""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import structlog

from hookyard.telemetry.scrubber import scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger, Processor

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_QUIET: Final = {
    # one line per request each, with its query string, which can hold a token: not even at level debug
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "httpx_retries": logging.WARNING,
}


class _Forward(logging.Handler):
    """Hands our lines to the standard library's logger of that name: where logging is not configured."""

    def emit(self, record: logging.LogRecord) -> None:
        target = logging.getLogger(record.name)
        if target.isEnabledFor(record.levelno):
            target.handle(record)


_root: Final = logging.RootLogger(logging.NOTSET)
_loggers: Final = logging.Manager(_root)
_root.manager = _loggers  # which keeps what the root's level is, and whether logging.disable was called
_loggers.loggerClass = logging.Logger  # whatever logging.setLoggerClass is called with
_processors: Final[list[Processor]] = []  # one list for all our loggers, changed in place


def get_logger(name: str, **fields: Any) -> FilteringBoundLogger:
    """Return one of our own loggers, with *fields* in each line; it may be made before ``configure``."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        stdlib_logger(name),
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        context_class=dict,
        cache_logger_on_first_use=True,
        **fields,
    )
    return logger


def stdlib_logger(name: str) -> logging.Logger:
    """Return what stands behind ``get_logger(name)``; its ``isEnabledFor`` saves composing lines in vain."""
    return _loggers.getLogger(name)


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
    :param context: returns fields to add to a line that does not have them; called for each line.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _defaults(context),
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    rendering: list[Processor]
    if as_json:
        rendering = [
            _defaults(lambda: {"process": process}),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        # ConsoleRenderer's own tracebacks show the values of local variables: bodies, secrets
        renderer = structlog.dev.ConsoleRenderer(
            colors=True, pad_event_to=0, exception_formatter=_plain_traceback
        )
        rendering = [_without_controls, renderer]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering, _scrubbed],
        )
    )
    _processors[:] = [
        structlog.stdlib.filter_by_level,
        *shared,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]
    for root in (_root, logging.getLogger()):
        root.handlers = [handler]
        root.setLevel(_LEVELS[level])
    structlog.configure(  # for bots that use structlog and do not configure it
        processors=[*_processors],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda name="bot", *_: stdlib_logger(name),
        cache_logger_on_first_use=True,
    )
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name, quietest in _QUIET.items():
        logging.getLogger(name).setLevel(max(_LEVELS[level], quietest))


def reset() -> None:
    """Hand our lines to the standard library's loggers, as before ``configure``: for tests."""
    _root.handlers = [_Forward()]
    _root.setLevel(logging.NOTSET)
    _processors[:] = [
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        ),
    ]


def _scrubbed(_logger: object, _method: str, line: Any) -> Any:
    """Keep secrets out of a rendered line, whatever it quotes."""
    return scrub(line)


def _defaults(fields: Callable[[], Mapping[str, object]]) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        for name, value in fields().items():
            event.setdefault(name, value)
        return event

    return add


def _without_controls(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Escape what would control a terminal; JSON does so by itself."""
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


reset()
