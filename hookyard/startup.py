"""Garbage collection of a process that has started.

A busy worker's collector used to walk every module and class about once a second: 40 ms in which no handler
proceeds, no lease is renewed and no webhook is answered. What exists when a process is ready lives until it
ends, so it need not be looked at again.
"""

from __future__ import annotations

import gc
import signal
from typing import Final

_THRESHOLDS: Final = (10_000, 20, 50)
"""Python's default for the youngest generation, 700 objects, is less than ten deliveries under way create."""


def freeze_startup_objects() -> None:
    """Exempt everything that exists now from garbage collection, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def drain_on_hangup() -> None:
    """Handle SIGHUP, which a closed terminal sends, like SIGTERM; ``nohup`` still has it ignored."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))
