"""A pytest plugin: every test begins with default signals, and no process outlives it.

The ``conftest.py`` at the top loads it, so it looks after every test there is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from tests import leftovers

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def pytest_configure() -> None:
    """Begin before anything is started."""
    _take_default_signals()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Look for leftovers from now on."""
    directory = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    session.config.pluginmanager.register(LeakCheck(directory), "leak check")


class LeakCheck:
    """Looks after every test and after every module."""

    def __init__(self, directory: Path) -> None:
        self.leftovers = leftovers.Leftovers(uuid.uuid4().hex, directory)
        os.environ[leftovers.MARK] = self.leftovers.mark
        self.reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", leftovers.__file__, self.leftovers.mark, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,  # Ctrl-C is for pytest
        )
        self.leftovers.lasting.add(self.reaper.pid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """Remember what the fixtures of the whole session start."""
        if fixturedef.scope != "session":
            return (yield)
        before = self.leftovers.children()
        try:
            return (yield)
        finally:
            self.leftovers.lasting.update(self.leftovers.children() - before)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, None, None]:
        """Look once the test's fixtures are closed."""
        try:
            yield
        finally:
            mine = self.leftovers
            of_the_module = nextitem is None or nextitem.path != item.path
            mine.end(mine.all() if of_the_module else mine.children())

    def pytest_unconfigure(self) -> None:
        """Let the reaper go, after a last look of its own."""
        assert self.reaper.stdin is not None
        self.reaper.stdin.close()
        self.reaper.wait()
        del os.environ[leftovers.MARK]


def _take_default_signals() -> None:
    """Let children begin with default signals, whatever started pytest.

    A shell without job control starts in the background with SIGINT ignored, nohup ignores SIGHUP, and
    every child inherits what is ignored. It does not inherit a handler, even one that does nothing.
    """
    for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
