"""Tests of the tests: a failing or killed run leaves no process behind, however it was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes import until
from tests.leftovers import Leftovers, commands
from tests.processes import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="leftovers are looked for in /proc")

# The directory is short, so each server listens on a socket in it.
REDIS = """
import pytest
from hookyard.redis.embedded import EmbeddedRedis, find_server

@pytest.fixture
def server(tmp_path):
    started = EmbeddedRedis(tmp_path, server=find_server())
    started.start()
    return started
"""


class InnerRun:
    """A run of pytest with the plugin, on test files in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self, *sources: str, **given) -> subprocess.Popen[str]:
        """Start it on *sources*, one file each; its output can be read."""
        for number, source in enumerate(sources):
            (self.directory / f"test_{number}.py").write_text(source)
        only_this = ["-p", "tests.leak_check", "-p", "no:randomly", "-p", "no:cacheprovider"]
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *only_this, "--basetemp", str(self.directory / "tmp")],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **given,
        )

    def output_of(self, *sources: str, **given) -> str:
        """Run it to its end."""
        return self.start(*sources, **given).communicate()[0]

    def left(self) -> set[str]:
        """Return the programs that still run of all that it started."""
        lines = commands(Leftovers("", self.directory).all()).values()
        return {Path(line.partition(" ")[0]).name for line in lines}


@pytest.fixture
def inner(tmp_path):
    return InnerRun(tmp_path)


def test_processes_left_running_are_an_error_of_the_test_and_are_killed(inner):
    child, daemon = "'sleep', '601'", "'sh', '-c', 'setsid sleep 602 >/dev/null 2>&1 &'"
    output = inner.output_of(
        f"import subprocess\ndef test_child(): subprocess.Popen([{child}])\ndef test_next(): pass\n",
        f"import subprocess\ndef test_daemon(): subprocess.run([{daemon}], check=True)\n",
        f"{REDIS}def test_redis(server): raise AssertionError\n",
    )
    assert "1 failed, 3 passed, 3 errors" in output
    for name, program in (("0.py::test_child", "sleep 601"), ("1.py::test_daemon", "sleep 602")):
        assert f"ERROR test_{name} - tests.leftovers.LeftRunning" in output
        assert program in output
    assert "ERROR test_2.py::test_redis - tests.leftovers.LeftRunning" in output
    assert not inner.left()


async def test_killing_pytest_ends_all_that_its_tests_started(inner):
    process = inner.start(
        f"{REDIS}\n"
        "import subprocess, time\n"
        "def test_one_that_is_killed(server):\n"
        "    subprocess.Popen(['setsid', 'sleep', '600'])\n"
        "    time.sleep(600)\n"
    )
    with process:
        await until(lambda: {"sleep", "redis-server"} <= inner.left())
        process.send_signal(signal.SIGKILL)
        await until(lambda: not inner.left())


def test_children_begin_with_default_signals_even_in_a_run_that_ignores_them(inner):
    def ignore():
        for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)

    output = inner.output_of(
        "import subprocess\n"
        "def test_children():\n"
        "    status = subprocess.check_output(['grep', 'Sig[IB]', '/proc/self/status'], text=True)\n"
        "    masks = {line.split()[0]: int(line.split()[1], 16) for line in status.splitlines()}\n"
        "    assert masks.keys() == {'SigBlk:', 'SigIgn:'}\n"
        "    assert not any(mask & 0b111 for mask in masks.values()), masks\n",
        preexec_fn=ignore,
    )
    assert "1 passed" in output
