"""What the hooks send, what they log, and when they stop."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.activity import Activity
from gitlab_emulator.hooks import execution, hooks
from gitlab_emulator.hooks.auto_disabling import alert_status
from gitlab_emulator.hooks.hooks import Hooks
from gitlab_emulator.hooks.request import VERSIONS
from hooks.yard import INSTANCE, NOW, Yard
from receiving import SIGNING_TOKEN, Receiver

if TYPE_CHECKING:
    from gitlab_emulator.clock import Clock
    from gitlab_emulator.state import State


async def test_a_delivery_carries_what_gitlab_sends(yard: Yard, receiver: Receiver) -> None:
    yard.add(receiver.url, token="hush", signing_token=SIGNING_TOKEN)
    await yard.execute(body={"object_kind": "issue", "title": "Grün <b>"})
    (one,) = receiver.received
    assert (one.method, one.path, one.data) == ("POST", "/", {"object_kind": "issue", "title": "Grün <b>"})
    assert one.is_signed()
    assert one.headers["webhook-id"] == one.headers["idempotency-key"]
    told = {name: one.headers[name] for name in ("x-gitlab-event", "x-gitlab-token", "x-gitlab-instance")}
    assert told == {"x-gitlab-event": "Issue Hook", "x-gitlab-token": "hush", "x-gitlab-instance": INSTANCE}


async def test_every_delivery_has_ids_of_its_own(yard: Yard, receiver: Receiver) -> None:
    for _ in range(2):
        yard.add(receiver.url, signing_token=SIGNING_TOKEN)
    for _ in range(3):
        await yard.execute()
    assert all(one.is_signed() for one in receiver.received)
    for name in ("webhook-id", "x-gitlab-event-uuid", "x-gitlab-webhook-uuid"):
        assert len({one.headers[name] for one in receiver.received}) == 6


@pytest.mark.parametrize(
    ("version", "agent", "present", "absent"),
    [
        ("19.1", "GitLab/19.1.0", {"webhook-id", "webhook-signature", "idempotency-key"}, set()),
        (
            "18",
            "GitLab/18.11.0",
            {"idempotency-key"},
            {"webhook-id", "webhook-timestamp", "webhook-signature"},
        ),
        ("17.3", "GitLab/17.3.0", set(), {"webhook-id", "webhook-signature", "idempotency-key"}),
    ],
)
async def test_older_gitlabs_send_fewer_headers(
    state: State,
    clock: Clock,
    receiver: Receiver,
    version: str,
    agent: str,
    present: set[str],
    absent: set[str],
) -> None:
    older = Hooks(state, clock=clock, version=VERSIONS[version])
    yard = Yard(state, older, clock)
    yard.add(receiver.url, token="hush", signing_token=SIGNING_TOKEN)
    await yard.execute()
    await older.aclose()
    (one,) = receiver.received
    assert one.headers["user-agent"] == agent
    assert one.headers["x-gitlab-token"] == "hush"
    assert (present <= one.headers.keys(), absent & one.headers.keys()) == (True, set())


async def test_a_receiver_that_fails_is_disabled_misses_what_happens_and_comes_back_by_a_test(
    yard: Yard, receiver: Receiver
) -> None:
    hook = yard.add(receiver.url, signing_token=SIGNING_TOKEN)
    receiver.status = 500
    for number in range(1, 7):
        await yard.execute(body={"number": number})
    assert [one.data["number"] for one in receiver.received] == [1, 2, 3, 4]
    assert alert_status(hook, NOW) == "temporarily_disabled"
    assert hook.disabled_until == NOW + timedelta(minutes=1)

    receiver.status = 200
    await yard.execute(body={"number": 7})
    done = await yard.hooks.test(hook, "issue_hooks", {"number": 8})
    await yard.execute(body={"number": 9})
    assert (done.status, alert_status(hook, NOW), hook.recent_failures) == (200, "executable", 0)
    assert [one.data["number"] for one in receiver.received] == [1, 2, 3, 4, 8, 9]
    assert all(one.is_signed() for one in receiver.received)
    logged = [event.request_data["number"] for event in yard.hooks.log.of(hook, NOW)]
    assert logged == [9, 8, 4, 3, 2, 1]


async def test_a_disabled_hook_is_tried_again_after_1_2_and_4_minutes(yard: Yard, receiver: Receiver) -> None:
    hook = yard.add(receiver.url)
    receiver.status = 503
    for _ in range(4):
        await yard.execute()
    for minutes in (1, 2, 4):
        yard.forward(minutes=minutes)
        before = len(receiver.received)
        await yard.execute()
        assert len(receiver.received) == before, "the pause is not over at its last second"
        yard.forward(seconds=1)
        await yard.execute()
        assert len(receiver.received) == before + 1
    assert hook.recent_failures == 7


async def test_after_forty_failures_only_a_test_brings_it_back(yard: Yard, receiver: Receiver) -> None:
    hook = yard.add(receiver.url)
    receiver.status = 404
    for _ in range(45):
        yard.forward(days=2)
        await yard.execute()
    assert len(receiver.received) == 40
    assert alert_status(hook, yard.clock()) == "disabled"
    await yard.hooks.test(hook, "issue_hooks", {})
    assert alert_status(hook, yard.clock()) == "disabled"
    receiver.status = 204
    await yard.hooks.test(hook, "issue_hooks", {})
    assert alert_status(hook, yard.clock()) == "executable"


async def test_a_system_hook_is_never_disabled_and_is_spared_the_commits(
    yard: Yard, receiver: Receiver
) -> None:
    yard.add(receiver.url, system=True)
    receiver.status = 500
    for _ in range(6):
        await yard.execute("push", body={"object_kind": "push", "commits": [{"id": "1"}]})
    assert len(receiver.received) == 6
    assert {one.headers["x-gitlab-event"] for one in receiver.received} == {"System Hook"}
    assert receiver.received[0].data == {"object_kind": "push", "commits": []}


async def test_an_answer_that_leads_nowhere_counts_as_success(yard: Yard, receiver: Receiver) -> None:
    hook = yard.add(receiver.url)
    receiver.status = 500
    await yard.execute()
    assert hook.recent_failures == 1
    receiver.status = 304
    await yard.execute()
    assert hook.recent_failures == 0


async def test_nothing_is_tried_twice(yard: Yard, receiver: Receiver, unused_tcp_port: int) -> None:
    yard.add(receiver.url)
    away = yard.add(f"http://127.0.0.1:{unused_tcp_port}/")
    receiver.status = 500
    await yard.execute()
    assert len(receiver.received) == 1
    (event,) = yard.hooks.log.of(away, NOW)
    assert event.response_status == "internal error"
    assert f'Connection refused - connect(2) for "127.0.0.1" port {unused_tcp_port}' in str(
        event.internal_error_message
    )


async def test_the_log_keeps_gitlabs_fields_without_the_secrets(yard: Yard, receiver: Receiver) -> None:
    hook = yard.add(
        receiver.url.replace("//", "//bot:hunter2@"),
        token="hush",
        signing_token=SIGNING_TOKEN,
        custom_headers={"X-Garden": "secret", "x-gitlab-event": "mine"},
    )
    receiver.text, receiver.headers = "é" * 9000, {"X-Answer": "yes"}
    await yard.execute(body={"user": {"email": "fern@greenhouse.example"}})
    (sent,), (event,) = receiver.received, yard.hooks.log.of(hook, NOW)
    assert sent.headers["authorization"].startswith("Basic ")
    assert (sent.headers["x-garden"], sent.headers["x-gitlab-event"]) == ("secret", "Issue Hook")
    assert sent.data["user"]["email"] == "fern@greenhouse.example"
    assert event.url == receiver.url.replace("//", "//*****:*****@")
    assert event.trigger == "issue_hooks"
    assert event.request_headers["X-Gitlab-Token"] == "[REDACTED]"
    assert event.request_headers["X-Garden"] == "[REDACTED]"
    assert event.request_headers["webhook-id"] == sent.headers["webhook-id"]
    assert event.request_data == {"user": {"email": "[REDACTED]"}}
    assert (event.response_status, event.response_headers["X-Answer"]) == ("200", "yes")
    assert len(event.response_body.encode()) <= 8192
    assert event.response_body.endswith("…")
    assert not {"hush", "hunter2", SIGNING_TOKEN} & set(str(event).split("'"))


async def test_a_delivery_is_sent_again_under_its_id_with_what_the_log_has(
    yard: Yard, receiver: Receiver
) -> None:
    hook = yard.add(receiver.url, signing_token=SIGNING_TOKEN)
    await yard.execute(body={"email": "fern@greenhouse.example"})
    (event,) = yard.hooks.log.of(hook, NOW)
    assert (await yard.hooks.resend(hook, event)).status == 200
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["x-gitlab-event-uuid"] != second.headers["x-gitlab-event-uuid"]
    assert second.data == {"email": "[REDACTED]"}
    assert first.is_signed()
    assert second.is_signed()
    assert len(yard.hooks.log.of(hook, NOW)) == 2


async def test_a_delivery_is_not_sent_again_to_another_address_or_a_disabled_hook(
    yard: Yard, receiver: Receiver
) -> None:
    hook = yard.add(receiver.url)
    await yard.execute()
    (event,) = yard.hooks.log.of(hook, NOW)
    hook.recent_failures = 40
    assert (await yard.hooks.resend(hook, event)).message == "Hook disabled"
    hook.recent_failures, hook.url = 0, f"{receiver.url}elsewhere"
    done = await yard.hooks.resend(hook, event)
    assert (done.status, done.message) == (
        None,
        "The hook URL has changed, and this log entry cannot be retried",
    )
    assert len(receiver.received) == 1


async def test_a_chain_of_calls_runs_each_hook_once(yard: Yard, receiver: Receiver) -> None:
    """As long as the receiver sends X-Gitlab-Event-UUID along with its own calls."""
    hook = yard.add(receiver.url)
    await yard.execute()
    uuid = receiver.received[0].headers["x-gitlab-event-uuid"]
    await yard.execute(event_uuid=uuid)
    assert len(receiver.received) == 1
    assert (await yard.hooks.test(hook, "issue_hooks", {}, event_uuid=uuid)).message == (
        "Recursive webhook blocked"
    )
    yard.add(receiver.url)
    await yard.execute(event_uuid=uuid)
    assert [one.headers["x-gitlab-event-uuid"] for one in receiver.received] == [uuid, uuid]
    assert len(yard.hooks.log.of(hook, NOW)) == 1
    yard.forward(minutes=31)
    await yard.execute(event_uuid=uuid)
    assert len(receiver.received) == 4


async def test_a_body_that_is_too_large_is_logged_and_not_sent(
    yard: Yard, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "MAX_REQUEST_BYTES", 1000)
    hook = yard.add(receiver.url)
    await yard.execute(body={"text": "x" * 1000})
    (event,) = yard.hooks.log.of(hook, NOW)
    assert (event.request_data, event.response_status) == ({"oversize": True}, "internal error")
    assert (receiver.received, hook.recent_failures) == ([], 1)


async def test_a_template_is_rendered_and_one_that_cannot_be_is_logged(
    yard: Yard, receiver: Receiver
) -> None:
    good = yard.add(receiver.url, custom_webhook_template='{"text": "{{object_attributes.title}}"}')
    bad = yard.add(receiver.url, custom_webhook_template="{{labels.0}}")
    await yard.execute(body={"object_attributes": {"title": 'a "b"'}, "labels": []})
    assert [one.data for one in receiver.received] == [{"text": 'a "b"'}]
    assert yard.hooks.log.of(good, NOW)[0].request_data == {"text": 'a "b"'}
    (event,) = yard.hooks.log.of(bad, NOW)
    assert (event.request_data, event.response_status) == ({}, "internal error")


async def test_variables_fill_the_address_and_stay_out_of_the_log(yard: Yard, receiver: Receiver) -> None:
    hook = yard.add(receiver.url + "hook/{key}", url_variables={"key": "hush"})
    await yard.execute()
    assert receiver.received[0].path == "/hook/hush"
    assert yard.hooks.log.of(hook, NOW)[0].url == receiver.url + "hook/{key}"


async def test_only_so_many_are_sent_at_once(state: State, clock: Clock, receiver: Receiver) -> None:
    few = Hooks(state, clock=clock, parallel=3)
    yard = Yard(state, few, clock)
    yard.add(receiver.url)
    receiver.hold = asyncio.Event()
    for number in range(10):
        few.execute(Activity(trigger="issues", body={"n": number}, project_id=1))
    async with asyncio.timeout(60):
        while receiver.open_now < 3:  # noqa: ASYNC110 - it is the receiver's own state that is waited for
            await asyncio.sleep(0.005)
    receiver.hold.set()
    async with asyncio.timeout(60):
        await few.settled()
    await few.aclose()
    assert (len(receiver.received), receiver.open_at_most) == (10, 3)


async def test_whoever_tells_never_waits_and_too_many_are_dropped(
    state: State, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "MAX_WAITING", 5)
    eager = Hooks(state, clock=clock)
    yard = Yard(state, eager, clock)
    yard.add(receiver.url)
    for number in range(8):
        eager.execute(Activity(trigger="issues", body={"n": number}, project_id=1))
    assert receiver.received == []
    async with asyncio.timeout(60):
        await eager.settled()
    await eager.aclose()
    assert sorted(one.data["n"] for one in receiver.received) == [0, 1, 2, 3, 4]


async def test_what_is_under_way_at_the_end_is_given_up(
    yard: Yard, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    yard.add(receiver.url)
    receiver.hold = asyncio.Event()
    yard.hooks.execute(Activity(trigger="issues", body={}, project_id=1))
    async with asyncio.timeout(60):
        while not receiver.open_now:  # noqa: ASYNC110 - it is the receiver's own state that is waited for
            await asyncio.sleep(0.005)
        await yard.hooks.aclose()
        await yard.hooks.settled()
    assert "1 webhooks were abandoned" in caplog.text


async def test_a_hook_that_is_deleted_takes_its_log_along(yard: Yard, receiver: Receiver) -> None:
    hook, other = yard.add(receiver.url), yard.add(receiver.url)
    await yard.execute()
    yard.hooks.remove(hook)
    assert (yard.hooks.log.of(hook, NOW), len(yard.hooks.log.of(other, NOW))) == ([], 1)
    await yard.execute()
    assert len(receiver.received) == 3


async def test_cookies_of_a_receiver_are_not_sent_back(yard: Yard, receiver: Receiver) -> None:
    yard.add(receiver.url)
    receiver.headers = {"Set-Cookie": "crumb=1"}
    await yard.execute()
    await yard.execute()
    assert "cookie" not in receiver.received[1].headers
