"""Our ``ingress`` and ``worker``, imported where a bot has modules of these names."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from pytest_hookyard import own_packages
from pytest_hookyard.own_packages import import_ours

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def theirs(monkeypatch, tmp_path):
    """A bot's own ``worker``, imported already, and one of ours that was never imported."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"ingress", "worker"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(own_packages, "_ours", {})
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ingress.py").write_text("THEIRS = True")
    (tmp_path / "worker.py").write_text("THEIRS = True")
    bots = types.ModuleType("worker")
    bots.__file__ = str(tmp_path / "worker.py")
    monkeypatch.setitem(sys.modules, "worker", bots)
    return bots


@pytest.mark.parametrize("name", ["worker.metrics", "ingress.parsing", "worker"])
def test_ours_is_imported_although_theirs_is_found_first(name):
    assert Path(import_ours(name).__file__).is_relative_to(ROOT)


def test_theirs_is_what_an_import_finds_before_and_after(theirs):
    import_ours("worker.metrics")
    import_ours("ingress.metrics")
    import worker

    assert worker is theirs
    import ingress

    assert ingress.THEIRS
    assert "worker.metrics" not in sys.modules
    del sys.modules["ingress"]


def test_each_of_ours_is_imported_once():
    assert import_ours("worker.app") is import_ours("worker.app")
    assert import_ours("worker.metrics") is own_packages._ours["worker.metrics"]


def test_theirs_is_put_back_when_an_import_fails(theirs):
    with pytest.raises(ModuleNotFoundError):
        import_ours("worker.no_such_module")
    assert sys.modules["worker"] is theirs


def test_where_ours_was_imported_first_it_is_that_one(monkeypatch):
    monkeypatch.delitem(sys.modules, "worker")
    monkeypatch.syspath_prepend(ROOT)
    import worker

    assert import_ours("worker") is worker
    assert sys.modules["worker"] is worker
