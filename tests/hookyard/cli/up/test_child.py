from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from hookyard.cli.up.child import FAILED_STARTS, ChildProcess, ChildSpec, restart_delay_s
from hookyard.cli.up.directory import RunningStack, UpDirectory
from hookyard.cli.up.printer import Printer
from hookyard.cli.up.reaper_process import ReaperProcess
from tests.fakes import until


@pytest.mark.parametrize(
    ("exit_code", "failed_starts", "wait_s"),
    [
        (1, 1, 1.0),
        (1, 2, 2.0),
        (-9, 4, 8.0),
        (1, FAILED_STARTS, None),
        (2, 1, None),  # wrong settings
        (0, 1, 1.0),
    ],
)
def test_what_ends_is_started_again_later_and_later_until_it_is_given_up(exit_code, failed_starts, wait_s):
    assert restart_delay_s(exit_code=exit_code, failed_starts=failed_starts) == wait_s


def test_lines_carry_one_time_and_no_colour_where_no_terminal_is(capsys):
    printer = Printer(["worker"])
    printer.say("\x1b[2m2026-01-31T12:00:00.123456Z\x1b[0m [\x1b[32minfo\x1b[0m] worker ready", name="worker")
    printer.say("no time here", name="worker")
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        "worker | [info] worker ready",
        "worker | no time here",
    ]


def test_a_processes_colour_is_its_names_alone(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    Printer(["worker"]).say("\x1b[31mred\x1b[0m plain", name="worker")
    assert capsys.readouterr().out.endswith("worker | \x1b[0m\x1b[31mred\x1b[0m plain\n")


@pytest.fixture
def reaper(tmp_path):
    directory = UpDirectory(tmp_path / ".hookyard")
    assert directory.acquire()
    started = ReaperProcess(directory.lock)
    yield started
    started.dismiss()
    directory.release()


def a_child(reaper, code, *, stop_timeout_s=20.0):
    plan = ChildSpec(
        name="child",
        command=[sys.executable, "-u", "-c", code],
        environment={},
        stop_timeout_s=stop_timeout_s,
    )
    return ChildProcess(plan, Printer(["child"]), reaper)


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"


async def test_one_that_does_not_end_in_its_time_is_killed(reaper, capsys):
    child = a_child(reaper, STUBBORN, stop_timeout_s=0.1)
    await asyncio.wait_for(child.has_printed.wait(), 60)
    await asyncio.wait_for(child.stop(asyncio.Event()), 60)
    assert "child does not stop; killing it" in capsys.readouterr().out


async def test_hurry_gives_a_patient_one_little_time(reaper):
    child = a_child(reaper, STUBBORN, stop_timeout_s=600)
    await asyncio.wait_for(child.has_printed.wait(), 60)
    hurry = asyncio.Event()
    hurry.set()
    await asyncio.wait_for(child.stop(hurry), 60)  # by the second signal, which is not ignored


async def test_one_can_be_stopped_while_it_is_being_started(reaper):
    child = a_child(reaper, "import time; time.sleep(600)")
    await asyncio.wait_for(child.stop(asyncio.Event()), 60)


async def test_one_with_wrong_settings_is_given_up_at_once(reaper, capsys):
    child = a_child(reaper, "raise SystemExit(2)")
    assert await asyncio.wait_for(child.gave_up, 60) == 2
    assert "ended with exit code 2; a restart would not help" in capsys.readouterr().out


async def test_a_line_without_an_end_is_cut_rather_than_kept(reaper, capsys):
    child = a_child(reaper, "print('x' * 200_000)\nimport time; time.sleep(600)")
    await asyncio.wait_for(child.has_printed.wait(), 60)
    seen = []

    def all_there():
        seen.append(capsys.readouterr().out)
        return "".join(seen).count("x") == 200_000

    await until(all_there)
    await asyncio.wait_for(child.stop(asyncio.Event()), 60)


async def test_a_guard_ends_what_it_watches_when_it_is_left_alone(reaper):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(600)", start_new_session=True
    )
    forgotten = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(600)", start_new_session=True
    )
    reaper.watch(process.pid)
    reaper.watch(forgotten.pid, signal.SIGTERM)
    reaper.forget(forgotten.pid)
    await asyncio.to_thread(reaper.dismiss)
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
    assert forgotten.returncode is None
    forgotten.kill()
    await forgotten.wait()


def here(**changed):
    facts = {"pid": 1, "started": "2026-01-31T12:00:00Z", "addresses": {}, "environment": {}}
    return RunningStack(**{**facts, **changed})


def test_only_one_can_have_a_directory(tmp_path):
    one, other = UpDirectory(tmp_path / ".hookyard"), UpDirectory(tmp_path / ".hookyard")
    assert one.acquire()
    assert not other.acquire()
    one.release()
    assert other.acquire()
    other.release()


def test_what_runs_is_known_only_while_it_does(tmp_path):
    import os

    one, reader = UpDirectory(tmp_path / ".hookyard"), UpDirectory(tmp_path / ".hookyard")
    assert reader.running() is None
    assert one.acquire()
    one.write(here(pid=os.getpid(), environment={"REDIS_URL": "redis://:geheim@r/0"}))
    assert reader.running().pid == os.getpid()
    assert "geheim" not in repr(reader.running())
    assert (one.path / "up.json").stat().st_mode & 0o777 == 0o600
    one.release()
    assert reader.running() is None
    assert reader.last() is None


def test_what_a_killed_one_left_is_remembered_but_does_not_run(tmp_path):
    one = UpDirectory(tmp_path / ".hookyard")
    assert one.acquire()
    one.write(here(pid=2**22 + 1, redis_pid=7))
    assert one.running() is None
    assert one.last().redis_pid == 7
    one.release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_spoiled_up_json_counts_as_none(tmp_path, text):
    one = UpDirectory(tmp_path)
    (tmp_path / "up.json").write_text(text)
    assert one.last() is None
