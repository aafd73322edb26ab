"""Processes whose time of day is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_WRONG_CLOCK: Final = Path(__file__).with_name("wrong_clock")


def off_by(seconds: int, *, path: str) -> dict[str, str]:
    """Return the environment of a Python process whose clock is off by so much.

    :param path: its PYTHONPATH otherwise.
    """
    return {"PYTHONPATH": f"{_WRONG_CLOCK}{os.pathsep}{path}", "CHAOS_CLOCK_OFF_S": str(seconds)}
