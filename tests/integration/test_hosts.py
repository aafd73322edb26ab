"""What handlers may do to their host, and that it harms nobody else; real processes, a real Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess

import httpx
import pytest
from gitlab_emulator.app import create_app
from prometheus_client.parser import text_string_to_metric_families

from hookyard.ledger.records import Outcome, State
from tests.fakes import a_delivery, until
from tests.ports import free_port

SUCCEEDED, FAILED, TIMED_OUT, CRASHED = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED
INTERRUPTED = Outcome.INTERRUPTED

# a handler for the action of its name, and what a bot does to be in the way of others' logs
HEAD = """
import asyncio, ctypes, logging.config, os, pathlib, re, time, unittest.mock
from gidgetlab.exceptions import BadRequest
from gidgetlab.routing import Router
from hookyard import GiveUp, RetryAfter, current_delivery, policy

logging.config.dictConfig({"version": 1, "disable_existing_loggers": True, "root": {"handlers": []}})
router = Router()

def note(what):
    with open("bot.log", "a") as file:
        file.write(f"{current_delivery().id} {what} {os.getpid()}\\n")

def on(handler):
    router.add(handler, "Issue Hook", action=handler.__name__)
    return handler
"""


@pytest.fixture
def start(processes):
    """Gives a function that starts a worker with a bot, whose log is then ``<name>.log``."""

    def start_worker(bot, *, name="worker", **environment):
        (processes.directory / "bot.py").write_text(HEAD + bot)
        processes.environment |= {
            "HOOKYARD_HANDLERS": "bot:router",
            "HOOKYARD_BACKOFF_S": "0.1",
            "HOOKYARD_MAX_ATTEMPTS": "2",
            "HOOKYARD_MAX_CRASHES": "2",
            "HOOKYARD_LOG_FORMAT": "json",
            **environment,
        }
        return processes.worker(name)

    return start_worker


@pytest.fixture
def send(ledger):
    """Gives a coroutine function that accepts a delivery for the handlers of an action."""

    async def accept(action, delivery_id=None):
        data = {"object_kind": "issue", "object_attributes": {"action": action, "title": "\ud800"}}
        await ledger.accept(a_delivery(delivery_id or action, event="Issue Hook", data=data))

    return accept


@pytest.fixture
def notes(tmp_path):
    """Gives a function: the lines that the bot's handlers have noted, as (delivery, what, process id)."""

    def read():
        log = tmp_path / "bot.log"
        lines = log.read_text().splitlines() if log.exists() else ()
        return [(one, what, int(pid)) for one, what, pid in map(str.split, lines)]

    return read


@pytest.fixture
def finished(listing):
    """Gives a coroutine function that waits until deliveries have ended, and returns their records."""

    async def records(*ids):
        found = [await listing.get(one) for one in ids]
        return found if all(record.finished_ms for record in found) else None

    async def wait(*ids):
        return await until(lambda: records(*ids), within_s=120)

    return wait


def outcomes(record, handler=None):
    """Return what became of a delivery's attempts, those that were interrupted left out."""
    return [
        attempt.outcome
        for run in record.history
        for attempt in run.attempts
        if attempt.outcome is not INTERRUPTED and handler in {None, attempt.handler.removeprefix("bot:")}
    ]


def is_alive(pid):
    """Return whether a process runs; a zombie does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1] not in {"", "Z"}


async def count(port, name, **labels):
    """Return what a worker has counted under a name and labels."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return sum(one.value for one in samples if one.name == name and one.labels == labels)


YIELDS = """
@on
async def asks_twice(event, gl):
    yield 1
"""


async def test_a_handler_that_yields_is_refused_at_the_start(processes, start):
    worker = start(YIELDS)
    assert await until(lambda: worker.poll() is not None)
    log = processes.log("worker")
    line = (HEAD + YIELDS).splitlines().index("@on") + 1
    assert f"{processes.directory / 'bot.py'}:{line}" in log
    assert "it contains yield" in log
    assert "Traceback" not in log
    assert worker.returncode == 2


RAISES = """
async def after(event, gl):
    note("after")

def case(handler):
    on(handler)
    router.add(after, "Issue Hook", action=handler.__name__)

class Panic(BaseException):
    pass

class Unprintable(Exception):
    def __str__(self):
        raise Panic

class Bottomless(Exception):
    def __getattr__(self, name):
        return getattr(self, name + "_")

class Own(BadRequest):
    response = property(lambda self: 1 / 0)

async def in_group(error):
    async with asyncio.TaskGroup() as outer:
        async def inner():
            async with asyncio.TaskGroup() as group:
                async def raising():
                    raise error
                group.create_task(raising())
        outer.create_task(inner())

@case
async def base_exception(event, gl):
    raise Panic("at the disco")

@case
async def keyboard_interrupt(event, gl):
    raise KeyboardInterrupt

@case
def exit_of_a_plain_function(event, gl):
    raise SystemExit(3)

@case
async def unprintable(event, gl):
    raise Unprintable

@case
async def bottomless(event, gl):
    raise Bottomless("no end")

@case
async def property_raises(event, gl):
    raise Own(404, "gone")

@case
async def surrogate(event, gl):
    raise ValueError(event.data["object_attributes"]["title"])

@case
def stop_iteration(event, gl):
    next(iter(()))

@case
async def cancels_itself(event, gl):
    asyncio.current_task().cancel()
    await asyncio.sleep(0)

@case
async def raises_cancelled(event, gl):
    raise asyncio.CancelledError

@case
async def gives_up(event, gl):
    await in_group(GiveUp("no such label"))

@case
async def not_found(event, gl):
    await in_group(BadRequest(404, "no such project"))

@case
async def comes_back(event, gl):
    await in_group(RetryAfter(3600))

@case
async def comes_back_never(event, gl):
    raise RetryAfter(1e300)

@case
async def forgets_await(event, gl):
    gl.post("/projects/1/issues", data={})

@case
def makes_a_generator(event, gl):
    return (each for each in ())

router.add(unittest.mock.AsyncMock(), "Issue Hook", action="mock")
"""

FAILS_TWICE = [FAILED, FAILED]
RAISED = {
    "base_exception": (FAILS_TWICE, "Panic: at the disco"),
    "keyboard_interrupt": (FAILS_TWICE, "KeyboardInterrupt"),
    "exit_of_a_plain_function": (FAILS_TWICE, "SystemExit: 3"),
    "unprintable": (FAILS_TWICE, "Unprintable: its text cannot be shown (Panic in __str__)"),
    "bottomless": (FAILS_TWICE, "Bottomless: no end"),
    "property_raises": ([FAILED], "an answer of 404 is the same each time"),
    "surrogate": (FAILS_TWICE, r"ValueError: \ud800"),
    "stop_iteration": (FAILS_TWICE, "StopIteration"),
    "cancels_itself": (FAILS_TWICE, "CancelledError"),
    "raises_cancelled": (FAILS_TWICE, "CancelledError"),
    "gives_up": ([FAILED], "GiveUp: no such label"),
    "not_found": ([FAILED], "an answer of 404 is the same each time"),
    "forgets_await": ([FAILED], "an await is missing"),
    "makes_a_generator": (FAILS_TWICE, "it contains yield"),
}
MUST_WAIT = {"comes_back": 3600, "comes_back_never": 36_500 * 86_400}


async def test_whatever_a_handler_raises_is_its_own_failure(processes, start, send, listing, finished):
    worker = start(RAISES)
    for action in (*RAISED, *MUST_WAIT, "mock"):
        await send(action)
    records = dict(zip(RAISED, await finished(*RAISED), strict=True))
    assert {action: outcomes(record, action) for action, record in records.items()} == {
        action: expected for action, (expected, _) in RAISED.items()
    }
    assert {action: text for action, (_, text) in RAISED.items() if text not in records[action].error} == {}
    assert {action for action in RAISED if outcomes(records[action], "after") != [SUCCEEDED]} == set()
    assert "raise Unprintable" in records["unprintable"].history[0].attempts[0].traceback

    async def are_waiting():
        found = {action: await listing.get(action) for action in MUST_WAIT}
        return all(record.state is State.RETRYING for record in found.values()) and found

    for action, record in (await until(are_waiting)).items():
        attempt = record.history[0].attempts[0]
        assert attempt.due_ms - attempt.started_ms >= MUST_WAIT[action] * 1000
    (mock,) = await finished("mock")
    assert (mock.state, outcomes(mock)) == (State.SUCCEEDED, [SUCCEEDED])
    assert worker.poll() is None
    lines = [json.loads(line) for line in processes.log("worker").splitlines() if line.startswith("{")]
    assert "host crashed" not in {line["event"] for line in lines}
    # written in the host, past what the bot did to logging
    failures = {line["delivery_id"] for line in lines if line["event"] == "handler failed"}
    assert failures >= {*RAISED, *MUST_WAIT}


LATE = """
@on
@policy(timeout=0.5, max_attempts=1)
async def swallows(event, gl):
    note("began")
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

@on
@policy(timeout=60)
async def beside(event, gl):
    note("began")
    while not pathlib.Path("enough").exists():
        await asyncio.sleep(0.01)

@on
@policy(timeout=0.5)
async def cleans_up(event, gl):
    try:
        await asyncio.sleep(60)
    finally:
        note("cleaned")

@on
@policy(timeout=60)
async def blocks(event, gl):
    time.sleep(0.6)
"""


LIFESPAN = """
from contextlib import asynccontextmanager
from hookyard import Bot

@asynccontextmanager
async def lifespan():
    if not pathlib.Path("database").exists():
        raise OSError("the database is away")
    yield {"pool": "a pool"}
    pathlib.Path("left").touch()

@on
async def names_it(event, gl, pool):
    assert pool == "a pool"

@on
def names_it_plainly(event, gl, pool):
    assert pool == "a pool"

router = Bot(router, lifespan=lifespan)
"""


async def test_a_lifespan_that_fails_is_told_of_and_entered_again_until_it_succeeds(
    processes, start, send, finished, tmp_path
):
    worker = start(LIFESPAN)
    await until(lambda: "the database is away" in processes.log("worker"), within_s=60)
    for action in ("names_it", "names_it_plainly"):
        await send(action)
    assert worker.poll() is None
    (tmp_path / "database").touch()
    for record in await finished("names_it", "names_it_plainly"):
        assert (record.state, outcomes(record)) == (State.SUCCEEDED, [SUCCEEDED])
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 60) == 0
    assert (tmp_path / "left").exists()


ODD_TASKS = """
@on
async def exits_in_a_task(event, gl):
    async def end():
        raise SystemExit(3)
    await asyncio.gather(asyncio.create_task(end()))

@on
async def is_interrupted_in_a_task(event, gl):
    async def end():
        raise KeyboardInterrupt
    await asyncio.create_task(end())

@on
async def leaves_a_task_that_exits(event, gl):
    async def end():
        raise SystemExit
    task = asyncio.create_task(end())
    await asyncio.sleep(0.1)

@on
@policy(timeout=0.5, max_attempts=1)
async def blocks_again_and_again(event, gl):
    while True:
        try:
            time.sleep(0.4)
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            pass

@on
@policy(timeout=60)
async def beside(event, gl):
    await asyncio.sleep(1)
"""


async def test_a_task_of_a_handler_ends_no_host(processes, start, send, finished):
    start(ODD_TASKS)
    names = ("exits_in_a_task", "is_interrupted_in_a_task", "leaves_a_task_that_exits", "beside")
    for action in names:
        await send(action)
    records = dict(zip(names, await finished(*names), strict=True))
    assert outcomes(records["exits_in_a_task"]) == FAILS_TWICE
    assert "SystemExit: 3" in records["exits_in_a_task"].error
    assert outcomes(records["is_interrupted_in_a_task"]) == FAILS_TWICE
    assert outcomes(records["leaves_a_task_that_exits"]) == outcomes(records["beside"]) == [SUCCEEDED]
    assert "host crashed" not in processes.log("worker")


async def test_a_handler_that_blocks_the_loop_again_and_again_times_out(processes, start, send, finished):
    start(ODD_TASKS)
    await send("beside")
    await send("blocks_again_and_again")
    blocking, beside = await finished("blocks_again_and_again", "beside")
    assert outcomes(blocking) == [TIMED_OUT]
    assert outcomes(beside) == [SUCCEEDED]


async def test_a_coroutine_that_does_not_end_is_killed_and_what_runs_beside_it_is_not(
    processes, start, send, finished, notes
):
    port = free_port()
    start(LATE, HOOKYARD_METRICS_PORT=str(port))
    await send("beside")
    await until(notes)
    for action in ("blocks", "swallows", "cleans_up"):
        await send(action)
    blocks, cleans_up = await finished("blocks", "cleans_up")
    assert (blocks.state, cleans_up.state) == (State.SUCCEEDED, State.FAILED)
    assert outcomes(cleans_up) == [TIMED_OUT, TIMED_OUT]
    assert "it ran longer than 0.5 s" in cleans_up.error
    host = next(pid for one, _, pid in notes() if one == "swallows")
    await until(lambda: count(port, "hookyard_worker_hosts_replaced_total", reason="hung"))
    await send("beside", "later")
    await until(lambda: any(one == "later" and pid != host for one, _, pid in notes()))
    assert is_alive(host)  # for the sake of what else is in it
    assert "host hangs: a handler does not end" in processes.log("worker")
    (processes.directory / "enough").touch()
    beside, swallows = await finished("beside", "swallows")
    assert (beside.state, outcomes(beside), beside.claims) == (State.SUCCEEDED, [SUCCEEDED], 1)
    assert len(beside.history[0].attempts) == 1
    assert outcomes(swallows) == [TIMED_OUT]
    assert "it ran longer than 0.5 s and did not end; its host was killed" in swallows.error
    await until(lambda: not is_alive(host))
    log = processes.log("worker")
    line = next(line for line in log.splitlines() if "handler blocked the event loop" in line)
    assert json.loads(line)["handler"] == "bot:blocks"
    assert await count(port, "hookyard_worker_blocking_calls_total", handler="bot:blocks") == 1


HANGS = """
def others(delivery):
    lines = [line.split() for line in open("bot.log")] if os.path.exists("bot.log") else []
    return [int(pid) for one, what, pid in lines if one == delivery and what == "began"]

def is_alive(pid):
    state = os.popen(f"ps -o stat= -p {pid}").read().strip()[:1]
    return state not in {"", "Z"}

@on
@policy(timeout=1)
def hangs(event, gl):
    if any(map(is_alive, others(current_delivery().id))):
        note("overlaps")
    note("began")
    time.sleep(600)

@on
@policy(timeout=20)
def plain(event, gl):
    note("ran")
"""


async def test_a_plain_function_that_hangs_is_killed_and_never_runs_twice_at_once(
    start, send, finished, notes
):
    start(HANGS, HOOKYARD_SLOTS="4")
    hung = [f"hung-{number}" for number in range(4)]
    innocents = [f"plain-{number}" for number in range(10)]
    for one in hung:
        await send("hangs", one)
    await until(notes)
    for one in innocents:
        await send("plain", one)
    for record in await finished(*innocents):
        assert (record.state, outcomes(record)) == (State.SUCCEEDED, [SUCCEEDED])
    for record in await finished(*hung):
        assert (record.state, outcomes(record)) == (State.FAILED, [TIMED_OUT, TIMED_OUT])
        assert "its host was killed" in record.error
    assert {what for _, what, _ in notes()} == {"began", "ran"}
    await until(lambda: not any(is_alive(pid) for one, _, pid in notes() if one in hung))


CRASHES = """
class Label:
    def __hash__(self):
        return hash("rebuilt")

    def __eq__(self, other):
        if other == "rebuilt" and not pathlib.Path("crashed").exists():
            pathlib.Path("crashed").touch()
            os._exit(7)
        return other == "rebuilt"

@on
async def segfault(event, gl):
    note("began")
    while not pathlib.Path("now").exists():
        await asyncio.sleep(0.01)
    ctypes.string_at(0)

@on
async def innocent(event, gl):
    note("began")
    while not pathlib.Path("enough").exists():
        await asyncio.sleep(0.01)

async def rebuilt(event, gl):
    note("ran")

router.add(rebuilt, "Issue Hook", action=Label())
"""


async def test_a_crash_is_charged_to_who_crashed(processes, start, send, finished, notes):
    worker = start(CRASHES)
    innocents = [f"innocent-{number}" for number in range(6)]
    await send("segfault")
    for one in innocents:
        await send("innocent", one)
    await until(lambda: len(notes()) == 7)
    (processes.directory / "now").touch()
    (segfault,) = await finished("segfault")
    assert (segfault.state, outcomes(segfault)) == (State.FAILED, [CRASHED, CRASHED])
    assert "it crashed its host while it ran alone (SIGSEGV, peak memory" in segfault.error
    (processes.directory / "enough").touch()
    for record in await finished(*innocents):
        assert (record.state, outcomes(record), record.claims) == (State.SUCCEEDED, [SUCCEEDED], 1)
    assert worker.poll() is None
    lines = [json.loads(line) for line in processes.log("worker").splitlines() if line.startswith("{")]
    first = next(line for line in lines if line["event"] == "host crashed")
    assert first["running"] == {"bot:innocent": 6, "bot:segfault": 1}
    assert first["next"] == "each that ran in it runs again, alone"
    interrupted = {line["delivery_id"] for line in lines if line["event"] == "handler interrupted"}
    assert interrupted == {"segfault", *innocents}
    last = [line for line in lines if line["event"] == "handler crashed"][-1]
    assert (last["delivery_id"], last["handler"], last["attempt"]) == ("segfault", "bot:segfault", 2)
    assert "SIGSEGV" in last["how"]
    assert last["given_up"] == "it crashed 2 times"


async def test_one_crash_while_an_event_is_rebuilt_fails_nobody(processes, start, send, finished):
    start(CRASHES)
    await send("rebuilt")
    (record,) = await finished("rebuilt")
    assert (record.state, outcomes(record), record.claims) == (State.SUCCEEDED, [SUCCEEDED], 1)
    assert "host crashed while it rebuilt the event" in processes.log("worker")


async def test_what_ran_in_a_host_that_is_killed_from_outside_runs_again(
    processes, start, send, finished, notes
):
    start(CRASHES)
    innocents = [f"innocent-{number}" for number in range(3)]
    for one in innocents:
        await send("innocent", one)
    await until(lambda: len(notes()) == 3)
    (host,) = {pid for _, _, pid in notes()}
    os.kill(host, signal.SIGTERM)  # as a service manager does to all processes of a service: not for hosts
    os.kill(host, signal.SIGINT)
    os.kill(host, signal.SIGKILL)
    await until(lambda: len(notes()) == 6)
    (processes.directory / "enough").touch()
    for record in await finished(*innocents):
        assert (record.state, outcomes(record), record.claims) == (State.SUCCEEDED, [SUCCEEDED], 1)
        assert [attempt.outcome for attempt in record.history[0].attempts] == [INTERRUPTED, SUCCEEDED]


async def test_a_host_leaves_signals_to_its_supervisor_and_dies_with_it(start, send, notes):
    worker = start(CRASHES)
    await send("innocent")
    await until(notes)
    host = notes()[0][2]
    os.kill(host, signal.SIGTERM)
    os.kill(host, signal.SIGINT)
    os.kill(host, signal.SIGHUP)
    await send("innocent", "later")
    await until(lambda: len(notes()) == 2)
    assert {pid for _, _, pid in notes()} == {host}
    worker.kill()
    await until(lambda: not is_alive(host))


HOLDS_THE_LOCK = """
@on
@policy(timeout=100)
def regex(event, gl):
    note("began")
    length = 20
    while True:
        began = time.monotonic()
        re.match("^(a+)+$", "a" * length + "b")
        if time.monotonic() - began > 2:
            break
        length += 1
    note("ended")

@on
async def innocent(event, gl):
    note("ran")
"""


async def test_a_regex_that_holds_the_interpreter_lock_delays_nobody_else(start, send, finished, notes):
    start(HOLDS_THE_LOCK, HOOKYARD_LEASE_S="1", HOOKYARD_REDIS_TIMEOUT_S="0.3")
    await send("regex")
    await until(notes)
    innocents = [f"innocent-{number}" for number in range(20)]
    for one in innocents:
        await send("innocent", one)
    for record in await finished("regex", *innocents):
        assert (record.state, outcomes(record), record.claims) == (State.SUCCEEDED, [SUCCEEDED], 1)
    assert notes()[-1][:2] == ("regex", "ended")


ASKS = """
@on
def asks(event, gl):
    for _ in range(3):
        found = asyncio.run(gl.getitem("/projects/1"))
        note(found["id"])
"""


async def test_a_plain_function_may_run_calls_to_gitlab_in_a_loop_of_its_own(
    processes, start, send, finished, notes, free_server
):
    start(ASKS, GL_URL=await free_server(create_app()))
    asking = [f"asks-{number}" for number in range(10)]
    for one in asking:
        await send("asks", one)
    for record in await finished(*asking):
        assert (record.error, outcomes(record)) == (None, [SUCCEEDED])
    assert [what for _, what, _ in notes()] == ["1"] * 30
    calls = [line for line in processes.log("worker").splitlines() if '"GitLab request"' in line]
    assert {json.loads(line)["delivery_id"] for line in calls} == set(asking)


WITH = """
@on
async def changes(event, gl):
    raise RetryAfter(0.2)
"""
WITHOUT = """
async def changed(event, gl):
    pass

router.add(changed, "Issue Hook", action="changes")
"""


async def test_a_handler_that_is_gone_after_a_deploy_is_failed_and_says_so(
    processes, start, send, finished, listing
):
    before = start(WITH)
    await send("changes")

    async def is_retrying():
        return (await listing.get("changes")).history

    await until(is_retrying)
    before.terminate()
    await asyncio.to_thread(before.wait)
    start(WITHOUT, name="after")
    (record,) = await finished("changes")
    assert record.state is State.FAILED
    assert "bot:changes: handler bot:changes is gone" in record.error
    assert outcomes(record, "changed") == [SUCCEEDED]
    assert "handler is gone" in processes.log("after")


COUNTS = """
@on
async def quick(event, gl):
    await asyncio.sleep(0.01)
    note("ran")
"""


async def test_replacing_hosts_loses_nothing(start, send, finished, notes):
    start(COUNTS, HOOKYARD_HOST_MAX_ATTEMPTS="5", HOOKYARD_SLOTS="4")
    sent: list[str] = []

    async def are_replaced():
        sent.extend([f"quick-{len(sent) + more}" for more in range(10)])
        for one in sent[-10:]:
            await send("quick", one)
        await finished(*sent[-10:])
        return len({pid for _, _, pid in notes()}) >= 3

    await until(are_replaced)
    for record in await finished(*sent):
        assert (record.state, outcomes(record), record.claims) == (State.SUCCEEDED, [SUCCEEDED], 1)
    assert sorted(one for one, _, _ in notes()) == sorted(sent)
