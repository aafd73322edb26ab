"""``deliver`` and the time: what is put off, and what the clock does."""

from __future__ import annotations

import pytest

from hookyard import Bot, RetryAfter, Wait, current_delivery, policy

bot = Bot()
state = {"is_ready": False}


@bot.register("Push Hook")
async def waits(event, gl):
    if not state["is_ready"]:
        raise Wait(3600, "not ready")


@bot.register("Tag Push Hook")
async def retries(event, gl):
    if current_delivery().attempt == 1:
        raise RetryAfter(600)


@bot.task
async def remind(event, gl):
    return event.data


@bot.register("Issue Hook", action="open")
@policy(delay=60)
async def delayed(event, gl):
    await remind.enqueue("later", delay=86_400)


@bot.schedule("* * * * * *")
async def every_second(event, gl):
    return event.data["schedule"]


@pytest.fixture
def hookyard_router():
    state["is_ready"] = False
    return bot


def test_what_waits_is_forwarded(deliver):
    waiting = deliver("push", runs=1)
    assert (waiting.state, waiting.error) == ("waiting", f"{__name__}:waits: not ready")
    assert deliver.forward(60) == []
    (still,) = deliver.forward(3600)
    assert still.state == "waiting"
    state["is_ready"] = True
    (done,) = deliver.forward(3600)
    assert (done.id, done.state) == (waiting.id, "succeeded")


def test_so_is_what_is_retried_delayed_or_enqueued(deliver, hookyard):
    assert deliver("tag-push", runs=1).state == "retrying"
    assert [one.state for one in deliver.forward(600)] == ["succeeded"]
    assert deliver("issue-open", runs=1).state == "waiting"
    (opened,) = deliver.forward(60)
    (child,) = opened.enqueued
    (reminded,) = deliver.forward(86_400)
    assert (reminded.id, reminded.attempt_of("remind").result) == (child, '"later"')


def test_a_schedule_ticks_when_the_test_says_so(deliver, hookyard):
    done = deliver.tick("every_second")
    assert done.attempt_of("every_second").result == f'"{__name__}:every_second"'
    assert len(hookyard.deliveries()) == 1
    with pytest.raises(LookupError, match="none of the schedules is never"):
        deliver.tick("never")
