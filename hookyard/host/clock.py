"""The clock that a supervisor and its hosts compare times by."""

from __future__ import annotations

import time

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_s() -> float:
    """Return seconds since the machine was booted, those in which it was suspended included.

    Linux's monotonic clock stands still while a laptop or a virtual machine is suspended, and leases
    do not; elsewhere the monotonic clock is all there is.
    """
    return time.clock_gettime(_BOOT_CLOCK)
