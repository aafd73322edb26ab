"""Sets the time of day of a process wrong by CHAOS_CLOCK_OFF_S seconds; Python imports this by its name.

Its monotonic clock stays right: a machine whose clock was set wrong counts seconds like any other. (Not by
libfaketime: with a right monotonic clock, Python's time.sleep fails under it.)
"""

from __future__ import annotations

import os
import time

_OFF_S = int(os.environ["CHAOS_CLOCK_OFF_S"])
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + _OFF_S
time.time_ns = lambda: _time_ns() + _OFF_S * 1_000_000_000
