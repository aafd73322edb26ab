"""Times as operators read and write them. Rule: pure; ``now_ms`` is an argument, times are Unix ms."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?) ?(s|m|min|h|d|w)")
_UNIT_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def parse_moment(text: str, *, now_ms: int) -> int:
    """Return the time of ``15m``, ``2h``, ``3d`` (ago) or of an ISO time, in UTC unless it says otherwise.

    :raises ValueError: for any other text.
    """
    span = _SPAN.fullmatch(text.strip().lower())
    if span:
        return int(now_ms - float(span[1]) * _UNIT_S[span[2]] * 1000)
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time: write 15m, 2h or 3d (ago), or 2026-01-31T12:00") from None


def iso(moment_ms: int) -> str:
    """Return e.g. ``2026-01-31T12:00:00.123Z``."""
    text = datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def clock(moment_ms: int) -> str:
    """Return e.g. ``2026-01-31 12:00:00 UTC``."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(length_ms: float) -> str:
    """Return a length of time in one or two units: ``12 ms``, ``34 s``, ``5 min``, ``2 h 5 min``, ``3 d``."""
    seconds = length_ms / 1000
    if seconds < 1:
        return f"{round(length_ms)} ms"
    if seconds < 10:  # noqa: PLR2004 - below it a tenth of a second can be told apart
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 2 * _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < _DAY_S:
        return _two(whole, _HOUR_S, "h", _MINUTE_S, "min")
    return _two(whole, _DAY_S, "d", _HOUR_S, "h")


def _two(whole: int, unit_s: int, unit: str, rest_s: int, rest: str) -> str:
    number, left = divmod(whole, unit_s)
    return f"{number} {unit} {left // rest_s} {rest}" if left >= rest_s else f"{number} {unit}"


def ago(moment_ms: int, *, now_ms: int) -> str:
    """Return ``12 s ago``; ``just now`` for the future, since clocks may differ a little."""
    passed_ms = now_ms - moment_ms
    return "just now" if passed_ms < 1000 else f"{span(passed_ms // 1000 * 1000)} ago"  # noqa: PLR2004


def until(moment_ms: int, *, now_ms: int) -> str:
    """Return ``in 34 s``, or ``now`` for what is due."""
    left_ms = moment_ms - now_ms
    return "now" if left_ms <= 0 else f"in {span(max(1000, round(left_ms / 1000) * 1000))}"
