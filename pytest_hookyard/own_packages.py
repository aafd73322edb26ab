"""Import our ``ingress`` and ``worker`` in a process whose ``ingress`` and ``worker`` are the bot's.

A bot may have modules of these names. They stay what ``import worker`` finds, before and after: ours
are found by their place, and are in ``sys.modules`` only while they are being imported.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_NAMES: Final = frozenset({"ingress", "worker"})
_PLACE: Final = str(Path(__file__).resolve().parents[1])

_ours: dict[str, ModuleType] = {}


def import_ours(name: str) -> ModuleType:
    """Return our module *name*; each is imported once, and imports others of ours only while it is."""
    before = _take_out()
    _ours.update({one: module for one, module in before.items() if one not in _ours and _is_ours(module)})
    sys.modules.update(_ours)
    sys.meta_path.insert(0, _Ours)
    try:
        return importlib.import_module(name)
    finally:
        sys.meta_path.remove(_Ours)
        _ours.update(_take_out())
        sys.modules.update(before)


def _take_out() -> dict[str, ModuleType]:
    found = [name for name in sys.modules if name.partition(".")[0] in _NAMES]
    return {name: sys.modules.pop(name) for name in found}


def _is_ours(module: ModuleType) -> bool:
    """Return whether it was imported from beside this package, as in Hookyard's own tests."""
    return Path(module.__file__ or "").is_relative_to(_PLACE)


class _Ours:
    """Find the two packages, and only them, where this one is; what is in a package is found through it."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where *name* is, as ``sys.meta_path`` asks."""
        return PathFinder.find_spec(name, [_PLACE], target) if path is None and name in _NAMES else None
