"""What ``deliver`` gives a bot's test, with handlers of every temper."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
import structlog
from gidgetlab.routing import Router
from gidgetlab.sansio import Event

from hookyard import GiveUp, RetryAfter, current_delivery, policy
from pytest_hookyard import running
from pytest_hookyard.delivered import NotDoneError, RefusedError

router = Router()
seen: list[dict[str, Any]] = []
let_go = threading.Event()


@router.register("Issue Hook", action="open")
async def greet(event, gl):
    issue = f"/projects/{event.project_id}/issues/{event.object_attributes['iid']}"
    await gl.post(f"{issue}/notes", data={"body": "Hello!"})


@router.register("Push Hook")
async def look(event, gl):
    seen.append(event.data)


@router.register("Tag Push Hook")
async def fail(event, gl):
    raise RuntimeError("the tank is dry")


@router.register("Tag Push Hook")
async def succeed(event, gl):
    await gl.getitem("/version")


@router.register("Release Hook")
async def come_round(event, gl):
    if current_delivery().attempt < 3:
        raise ConnectionError("not yet")


@router.register("Job Hook")
async def later(event, gl):
    raise RetryAfter(3600)


@router.register("Wiki Page Hook")
async def hang(event, gl):
    await asyncio.Event().wait()  # the line where it hangs


@router.register("Milestone Hook")
async def block(event, gl):
    let_go.wait(60)  # the line where it blocks


@router.register("Emoji Hook")
@policy(max_attempts=1)
def hang_in_a_thread(event, gl):
    let_go.wait(60)  # the line where it hangs in a thread


@router.register("Deployment Hook")
async def give_up(event, gl):
    current_delivery().log.warning("no use", colour="red")
    raise GiveUp("nobody can mend this")


@pytest.fixture
def hookyard_router():
    seen.clear()
    let_go.clear()
    return router


@pytest.fixture
def hookyard_settings(request):
    """The settings that a test asks for with ``indirect`` parameters, else none of its own."""
    return getattr(request, "param", {})


def test_a_sample_is_handled_when_deliver_returns(deliver, gitlab_emulator):
    done = deliver("issue-open")
    assert (done.state, done.event, done.runs, done.error) == ("succeeded", "Issue Hook", 1, None)
    assert done.attempt_of("greet").outcome == "succeeded"
    assert [(call.method, call.path, call.body, call.status) for call in done.calls] == [
        ("POST", "/api/v4/projects/1/issues/1/notes", {"body": "Hello!"}, 201)
    ]
    notes = gitlab_emulator.state.projects[1].issues[1].notes.values()
    assert "Hello!" in [note.body for note in notes]


def test_a_sample_shows_what_is_in_this_gitlab(deliver, gitlab_emulator):
    project = gitlab_emulator.state.projects[1]
    project.name = "Rain Barrel"
    deliver("push")
    assert seen[0]["project"]["name"] == "Rain Barrel"
    assert seen[0]["project"]["web_url"].startswith(gitlab_emulator.url)


def test_a_body_may_be_ones_own(deliver):
    deliver({"ref": "refs/heads/main"}, event="Push Hook")
    deliver({"object_kind": "push", "ref": "refs/heads/known by its kind"})
    deliver(b'{"ref": "refs/heads/raw"}', event="Push Hook")
    deliver(Event({"ref": "refs/heads/an-event"}, event="Push Hook"))
    assert [data["ref"].removeprefix("refs/heads/") for data in seen] == [
        "main",
        "known by its kind",
        "raw",
        "an-event",
    ]


def test_a_body_can_be_amended(deliver):
    deliver("push", amend={"project.name": "Rain Barrel", "commits.0.title": 'Mend "it"', "extra": [1, None]})
    assert seen[0]["project"]["name"] == "Rain Barrel"
    assert seen[0]["commits"][0]["title"] == 'Mend "it"'
    assert seen[0]["extra"] == [1, None]


def test_an_event_that_nobody_wants_is_ignored(deliver):
    done = deliver("issue-close")
    assert (done.state, done.attempts, done.calls) == ("ignored", {}, ())
    assert repr(done) == "<Issue Hook ignored>"


def test_a_handler_that_fails_does_not_keep_the_others_from_succeeding(deliver):
    done = deliver("tag-push")
    assert done.state == "failed"
    failed = done.attempt_of("fail")
    assert (failed.outcome, failed.number) == ("failed", 8)
    assert failed.error == "RuntimeError: the tank is dry (no attempts left after 8)"
    assert 'raise RuntimeError("the tank is dry")' in failed.traceback
    succeeded = done.attempt_of(f"{__name__}:succeed")
    assert (succeeded.outcome, succeeded.number) == ("succeeded", 1)
    assert [call.path for call in done.calls] == ["/api/v4/version"]
    assert "fail failed (attempt 8): RuntimeError: the tank is dry" in repr(done)
    with pytest.raises(LookupError, match="none of the handlers is greet"):
        done.attempt_of("greet")


def test_retries_are_waited_for_and_their_waits_are_real(deliver):
    done = deliver("release")
    assert (done.state, done.runs) == ("succeeded", 3)
    starts = [run.started_ms for run in done.record.history]
    dues = [run.attempts[0].due_ms for run in done.record.history]
    assert starts[1] >= dues[0]
    assert starts[2] >= dues[1]
    assert dues[2] is None


@pytest.mark.parametrize("hookyard_settings", [{"HOOKYARD_MAX_ATTEMPTS": 2}], indirect=True)
def test_settings_can_be_overridden(deliver):
    done = deliver("release")
    assert (done.state, done.runs) == ("failed", 2)


@pytest.mark.parametrize(
    "hookyard_settings", [{"HOOKYARD_HANDLER_TIMEOUT_S": 0.1, "HOOKYARD_MAX_ATTEMPTS": 1}], indirect=True
)
def test_a_handler_that_takes_too_long_is_timed_out(deliver):
    attempt = deliver("wiki-page-create").attempt_of("hang")
    assert attempt.outcome == "timed out"
    assert "it ran longer than 0.1 s" in attempt.error


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        ("wiki-page-create", "await asyncio.Event().wait()  # the line where it hangs"),
        ("milestone-create", "the line where it blocks"),
        ("emoji-award", "# the line where it hangs in a thread"),
    ],
)
def test_a_handler_that_does_not_end_is_shown_where_it_is(deliver, sample, line):
    with pytest.raises(NotDoneError) as caught:
        deliver(sample, timeout_s=0.3)
    let_go.set()
    told = str(caught.value)
    assert told.startswith("not done after")
    assert "running, 1 run" in told
    assert "The handler is here:" in told
    assert line in told
    assert "hookyard/host/invoke.py" not in told


def test_a_wait_that_would_be_in_vain_is_not_waited(deliver):
    with pytest.raises(NotDoneError, match=r"not run again for (59 min|60 min|1 h) .*runs=1"):
        deliver("job", timeout_s=600)


def test_redis_tells_when_a_delivery_is_done(deliver, monkeypatch):
    monkeypatch.setattr(running, "_LOOK_AGAIN_S", 600)
    assert deliver("release", timeout_s=600).runs == 3


def test_deliver_can_return_after_some_tries_though_more_are_to_come(deliver):
    done = deliver("job", runs=1)
    assert (done.state, done.runs) == ("retrying", 1)
    attempt = done.attempt_of("later")
    assert attempt.due_ms - attempt.started_ms >= 3_600_000


def test_handlers_can_be_run_again_as_after_a_crash(deliver):
    first = deliver("issue-open")
    again = deliver.again(first)
    assert (again.id, again.state) == (first.id, "succeeded")
    assert len(again.record.history) == 2
    assert [call.status for call in again.calls] == [201]
    assert again.calls != first.calls


def test_the_same_delivery_sent_twice_is_handled_once(deliver):
    first = deliver("push", delivery_id="one")
    second = deliver("push", delivery_id="one")
    assert (first.id, second.id, len(seen)) == ("one", "one", 1)


def test_what_the_ingress_refuses_is_told_with_its_reason(deliver):
    with pytest.raises(RefusedError, match=r"(?s)400.*not JSON"):
        deliver(b"{", event="Push Hook")


def test_a_sample_that_is_not_there_is_told_with_one_that_is(deliver):
    with pytest.raises(LookupError, match=r"no sample 'isue-open'\. Did you mean 'issue-open'"):
        deliver("isue-open")
    with pytest.raises(TypeError, match="does not tell its event"):
        deliver({"ref": "main"})


def test_calls_fail_by_order(deliver, gitlab_emulator):
    gitlab_emulator.fail(calls=2, status=500, method="POST")
    done = deliver("issue-open")
    assert [(call.status, call.by_fault) for call in done.calls] == [(500, True), (500, True), (201, False)]
    assert done.attempt_of("greet").number == 3


def test_calls_of_one_delivery_are_not_those_of_another(deliver, gitlab_emulator):
    first, second = deliver("issue-open"), deliver("issue-open")
    assert [len(first.calls), len(second.calls)] == [1, 1]
    assert [*first.calls, *second.calls] == gitlab_emulator.calls


def test_every_test_has_a_gitlab_and_a_ledger_of_its_own(deliver, gitlab_emulator, hookyard):
    assert (gitlab_emulator.calls, hookyard.deliveries()) == ([], [])
    assert len(gitlab_emulator.state.projects[1].issues[1].notes) == 1
    deliver("issue-open")
    gitlab_emulator.reset()
    assert gitlab_emulator.calls == []
    assert len(gitlab_emulator.state.projects[1].issues[1].notes) == 1
    assert [call.status for call in deliver("issue-open").calls] == [201]


def test_the_story_has_every_try_and_every_call(deliver, gitlab_emulator):
    gitlab_emulator.fail(status=500)
    lines = deliver("issue-open").story.splitlines()
    assert lines[0].startswith("Issue Hook (greenhouse/watering-can #1): succeeded, 2 runs, delivery ")
    assert lines[1].startswith(f"  try 1   {__name__}:greet failed after ")
    assert "; again after " in lines[1]
    assert lines[2].startswith(f"  try 2   {__name__}:greet succeeded after ")
    assert lines[-2:] == [
        "  POST /api/v4/projects/1/issues/1/notes  500 (by order)",
        "  POST /api/v4/projects/1/issues/1/notes  201",
    ]


def test_what_handlers_log_is_where_pytest_looks_for_it(deliver, caplog):
    deliver("deployment")
    first = caplog.records[0]
    assert (first.name, first.levelno) == ("worker", logging.WARNING)
    assert first.message.startswith("no use attempt=1 colour=red delivery_id=")
    assert structlog.is_configured()


def test_a_bot_that_configures_structlog_keeps_its_own_way(request):
    kept = []
    structlog.configure(processors=[lambda _logger, _name, event: kept.append(event["event"]) or ""])
    request.getfixturevalue("deliver")("deployment")
    assert "no use" in kept


async def test_it_works_in_a_test_that_is_a_coroutine(deliver):
    ticks = []

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    assert deliver("push").state == "succeeded"  # blocks this loop, as any plain function does
    assert not ticks
    assert (await asyncio.to_thread(deliver, "push")).state == "succeeded"
    assert ticks
    ticking.cancel()
