"""Limits that settings share with the code that enforces them."""

from __future__ import annotations

from typing import Final

KEPT_RUNS: Final = 64
"""A record keeps this many of its latest runs; ``HOOKYARD_MAX_ATTEMPTS`` must stay below."""
