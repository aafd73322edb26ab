"""The Lua scripts in ``scripts/``, by name. Each file opens with its story, its KEYS and its ARGV."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def source(name: str) -> str:
    """Return the text of ``scripts/<name>.lua``."""
    return resources.files("deliveries").joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8")
