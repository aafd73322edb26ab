"""``hookyard up`` as its user meets it: real processes in a directory of the test's own, on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from hookyard.cli.up.directory import UpDirectory
from tests.fakes import until
from tests.hookyard.cli.conftest import process_environment
from tests.ports import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc"),
]

GRACE_S = 60


class Ups:
    """Runs of ``hookyard up`` in one directory; whatever is left of them is killed at the end."""

    def __init__(self, directory):
        self.directory = directory
        self.log = directory / "up.log"
        self.running = []
        self.ports = ["--port", str(free_port()), "--emulator-port", str(free_port()), "--console-port", "0"]
        self.pids = set()

    def start(self, *arguments, output=None, **environment):
        """Start one; its output goes to the log, or to the file descriptor *output*."""
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hookyard.cli.main", "up", *self.ports, *arguments],
                cwd=self.directory,
                env=process_environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    async def is_up(self, process):
        """Wait until it has printed what to try next."""

        def look():
            assert process.poll() is None, self.text
            return "Try next" in self.text

        await until(look, within_s=GRACE_S)
        self.pids |= descendants(process.pid)

    @property
    def text(self):
        """What the last one has printed."""
        return self.log.read_text()

    def hookyard(self, *arguments, **environment):
        """Run another command in the same directory, with no settings in its environment but these."""
        return subprocess.run(
            [sys.executable, "-m", "hookyard.cli.main", *arguments],
            cwd=self.directory,
            env=process_environment(**environment),
            capture_output=True,
            text=True,
            timeout=GRACE_S,
            check=False,
        )

    def json(self, *arguments):
        """Run one that answers in JSON."""
        done = self.hookyard(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    async def stop(self, process, signum=signal.SIGTERM):
        """Stop one and return its exit code."""
        process.send_signal(signum)
        return await asyncio.to_thread(process.wait, GRACE_S)

    def kill_all(self):
        """Leave nothing behind."""
        for process in self.running:
            if process.poll() is None:
                self.pids |= descendants(process.pid)
                process.kill()
            process.wait()
        deadline = time.monotonic() + 5
        while any(lives(pid) for pid in self.pids) and time.monotonic() < deadline:
            time.sleep(0.05)  # the guard is at it
        for pid in self.pids:
            if lives(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def ups(nowhere):
    started = Ups(nowhere)
    yield started
    started.kill_all()


def descendants(pid):
    """The processes that a process has started, and those that these have."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found, fresh = set(), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_text()


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_an_issue_is_greeted_and_its_story_survives_stopping_and_starting_again(ups):
    first = ups.start()
    await ups.is_up(first)
    assert "\x1b[" not in ups.text
    assert stat_mode(ups.directory / ".hookyard" / "up.json") == 0o600
    sent = ups.json("send", "issue-open", "--json")
    assert sent["status"] == 202

    async def greeting():
        notes = await asyncio.to_thread(ups.json, "api", "GET", "/projects/1/issues/1/notes")
        return [note["body"] for note in notes if "Thank you for the report" in note["body"]]

    assert len(await until(greeting, within_s=GRACE_S)) == 1

    async def settled():
        kept = (await asyncio.to_thread(ups.json, "deliveries", "--json"))["deliveries"]
        found = {one["event"]: one for one in kept if one["state"] in {"succeeded", "ignored"}}
        return found if len(found) == 2 else None

    # the stand-in tells of the greeting, as GitLab does of every note
    kept = await until(settled, within_s=GRACE_S)
    assert kept["Issue Hook"]["id"] == sent["id"]
    assert kept["Note Hook"]["state"] == "ignored"
    story = ups.json("show", sent["id"], "--json")
    assert story["handlers"][0]["handler"] == "handlers.greet_reporter:greet_reporter"

    second = ups.hookyard("up", *ups.ports)
    assert second.returncode == 1
    assert f"already runs in this directory: process {first.pid}" in second.stderr
    assert f"127.0.0.1:{ups.ports[1]}/" in second.stderr

    check = ups.hookyard("check")
    assert check.returncode == 0, check.stdout
    assert await ups.stop(first) == 0
    assert not {pid for pid in ups.pids if lives(pid)}
    order = [
        ups.text.index(text) for text in ("ingress  |", "worker stopped", "up       | stopped; accepted")
    ]
    assert order == sorted(order)
    assert not (ups.directory / ".hookyard" / "up.json").exists()

    again = ups.start()
    await ups.is_up(again)
    assert ups.json("show", sent["id"], "--json")["history"] == story["history"]
    assert await ups.stop(again, signal.SIGINT) == 0


def stat_mode(path):
    return path.stat().st_mode & 0o777


async def test_kill_9_leaves_no_process_behind_and_the_next_one_starts(ups):
    first = ups.start()
    await ups.is_up(first)
    assert len(ups.pids) == 7  # guard, Redis, emulator, ingress, worker, host, console
    first.kill()
    first.wait()
    again = ups.start()
    await until(lambda: not [pid for pid in ups.pids if lives(pid)], within_s=GRACE_S)
    await ups.is_up(again)
    assert await ups.stop(again) == 0


async def test_a_redis_that_outlived_up_and_its_guard_is_ended_before_the_next_one_starts(ups):
    first = ups.start()
    await ups.is_up(first)
    here = UpDirectory(ups.directory / ".hookyard").running()
    first.send_signal(signal.SIGSTOP)  # so that it cannot see what happens to its children
    for pid in ups.pids - {here.redis_pid}:
        os.kill(pid, signal.SIGKILL)
    first.kill()
    first.wait()
    assert lives(here.redis_pid)
    again = ups.start()
    await ups.is_up(again)
    assert f"left behind (process {here.redis_pid})" in ups.text
    assert not lives(here.redis_pid)
    assert await ups.stop(again) == 0


async def test_a_process_that_dies_is_said_and_started_again_and_all_stop_when_redis_does(ups):
    up = ups.start()
    await ups.is_up(up)
    (worker,) = [pid for pid in ups.pids if "-m\0worker" in command_line(pid)]
    os.kill(worker, signal.SIGKILL)
    await until(lambda: "worker was ended by SIGKILL; restarting it" in ups.text)
    await until(lambda: ups.text.count("worker ready") == 2)
    ups.pids |= descendants(up.pid)
    os.kill(UpDirectory(ups.directory / ".hookyard").running().redis_pid, signal.SIGKILL)
    assert await asyncio.to_thread(up.wait, GRACE_S) == 1
    assert "Redis has ended" in ups.text
    assert not {pid for pid in ups.pids if lives(pid)}


async def test_the_second_signal_stops_at_once_and_hands_back_what_runs(ups):
    (ups.directory / "slow.py").write_text(
        "import asyncio\nfrom gidgetlab.routing import Router\nrouter = Router()\n"
        "@router.register('Push Hook')\nasync def sleep(event, gl):\n    await asyncio.sleep(600)\n"
    )
    up = ups.start("--workers", "2", HOOKYARD_HANDLERS="slow:router", HOOKYARD_DRAIN_S="300")
    await ups.is_up(up)
    assert "worker-2" in ups.text
    sent = ups.json("send", "push", "--json")

    async def running():
        return (await asyncio.to_thread(ups.json, "stats", "--json"))["states"]["running"]

    await until(running)
    up.send_signal(signal.SIGINT)
    await until(lambda: "SIGINT: stopping" in ups.text)
    assert await ups.stop(up, signal.SIGINT) == 0
    again = ups.start(HOOKYARD_HANDLERS="slow:router")
    await ups.is_up(again)
    story = ups.json("show", sent["id"], "--json")
    assert story["history"][0]["ending"] == "released"
    assert story["crashes"] == 0
    up = ups.running[-1]
    up.send_signal(signal.SIGTERM)
    await until(lambda: "SIGTERM: stopping" in ups.text)
    assert await ups.stop(up) == 0


async def test_handlers_that_cannot_be_loaded_stop_everything_with_exit_code_2(ups):
    up = ups.start(HOOKYARD_HANDLERS="nowhere:router")
    assert await asyncio.to_thread(up.wait, GRACE_S) == 2
    assert "there is no module nowhere" in ups.text
    assert "Traceback" not in ups.text


async def test_given_redis_and_gitlab_are_used_and_said(ups, redis_url):
    given = {"REDIS_URL": redis_url, "GL_URL": "https://gitlab.example.com", "GL_SECRET": "s"}
    up = ups.start(**given, HOOKYARD_HANDLERS="handlers:router", NO_COLOR="1")
    await ups.is_up(up)
    assert len(descendants(up.pid)) == 5  # guard, ingress, worker, host, console
    assert f"REDIS_URL is set: using Redis at {redis_url}" in ups.text
    assert "with the same GL_SECRET" in ups.text
    assert not (ups.directory / ".hookyard" / "redis").exists()
    assert ups.hookyard("send", "push").returncode == 1  # without the secret
    assert ups.hookyard("send", "push", GL_SECRET="s").returncode == 0
    await asyncio.to_thread(ups.json, "stats", "--json")
    assert await ups.stop(up) == 0


async def test_it_stops_when_nobody_reads_its_output_any_more(ups):
    reading, writing = os.pipe()
    up = ups.start(output=writing)
    os.close(writing)
    assert await asyncio.to_thread(os.read, reading, 1)
    os.close(reading)
    assert await asyncio.to_thread(up.wait, GRACE_S) == 0
    assert not ups.text


def test_a_taken_port_is_said_in_a_line_before_anything_starts(command, nowhere):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        run = command("up", "--port", str(port), "--emulator-port", "0")
        assert (run.code, len(run.err.splitlines())) == (1, 1)
        assert f"The ingress cannot listen on 127.0.0.1 port {port}: address already in use." in run.err
        assert "--port" in run.err
        run = command("up", "--port", "0", "--emulator-port", str(port))
        assert "Choose another with --emulator-port." in run.err
    assert not (nowhere / ".hookyard" / "redis").exists()


def test_up_with_a_real_gitlab_does_not_run_the_example_bot(command):
    run = command("up", GL_URL="https://gitlab.example.com")
    assert run.code == 2
    assert "HOOKYARD_HANDLERS is not set" in run.err


async def test_where_no_secret_is_set_one_is_made_up_and_asked_for(ups):
    await ups.is_up(ups.start())
    headers = {"X-Gitlab-Event": "Push Hook", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{ups.ports[1]}/"
    secret = (ups.directory / ".hookyard" / "secret").read_text().strip()
    assert secret not in ups.text
    known = {**headers, "X-Gitlab-Token": secret}
    async with httpx.AsyncClient(headers=headers) as client:
        assert (await client.post(url, content=b"{}")).status_code == 401
        assert (await client.post(url, content=b"{}", headers=known)).status_code == 202
        for foreign in ({"Host": "evil.example.com"}, {"Origin": "http://evil.example.com"}):
            assert (await client.post(url, content=b"{}", headers={**known, **foreign})).status_code == 400
    assert ups.hookyard("send", "issue-open").returncode == 0
    for path in (ups.directory / ".hookyard").rglob("*"):
        assert path.lstat().st_mode & 0o077 == 0, path
