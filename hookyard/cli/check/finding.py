"""A finding of ``hookyard check``. Rule: pure.

A fault keeps deliveries from being accepted or handled; a risk can lose some, or let strangers in, one day.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    RISK = "risk"
    FAULT = "fault"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked: its name, its state, and what to do about it."""

    level: Level
    about: str
    text: str
    todo: str = ""


def ok(about: str, text: str) -> Finding:
    """Return a finding that needs nothing done."""
    return Finding(level=Level.OK, about=about, text=text)


def risk(about: str, text: str, todo: str) -> Finding:
    """Return a finding that can lose deliveries, or let strangers in, one day."""
    return Finding(level=Level.RISK, about=about, text=text, todo=todo)


def fault(about: str, text: str, todo: str = "") -> Finding:
    """Return a finding that keeps deliveries from being accepted or handled."""
    return Finding(level=Level.FAULT, about=about, text=text, todo=todo)
