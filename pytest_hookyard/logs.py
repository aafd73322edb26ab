"""Logs of handlers under pytest: in ``caplog`` and in the report of a failed test."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def logs_for_pytest() -> Iterator[None]:
    """Send structlog's lines to the standard library's loggers, inside the block.

    A bot's own structlog configuration is left alone. Hookyard's own lines arrive there by themselves.
    """
    if structlog.is_configured():
        yield
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.dev.ConsoleRenderer(
                colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=_logger,  # structlog's own would change the class of everybody's loggers
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.reset_defaults()


def _logger(name: str = "hookyard", *_: object) -> logging.Logger:
    return logging.getLogger(name)
