"""Limits that a setting must stay below and that the code which keeps to them shares."""

from __future__ import annotations

from typing import Final

KEPT_TRIES: Final = 64
"""A record keeps this many of its latest tries; ``HOOKYARD_TRIES`` must stay below."""
