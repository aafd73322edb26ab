"""What looks wrong in a bot, and what does not."""

from __future__ import annotations

import asyncio
import subprocess
import time
from functools import partial
from pathlib import Path
from time import sleep

import pytest
from gidgetlab.routing import Router

from hookyard.host.lint import EVENTS, registration_faults, source_faults
from hookyard.host.registry import Registry


@pytest.mark.parametrize(
    ("event", "attributes", "text"),
    [
        ("Issues Hook", {}, "did you mean 'Issue Hook'"),
        ("push", {}, "GitLab sends no 'push'"),
        ("Issue Hook", {"action": "opened"}, "did you mean 'open'"),
        ("Merge Request Hook", {"action": "merged"}, "did you mean 'merge'"),
        ("Push Hook", {"ref": "main"}, "Push Hook has no object_attributes, so ref never matches"),
        ("Release Hook", {"action": "create"}, "so action never matches"),
    ],
)
def test_a_registration_that_never_matches_is_said(event, attributes, text):
    (fault,) = registration_faults(event, attributes)
    assert text in fault


@pytest.mark.parametrize("event", [*sorted(EVENTS), "task:bot:announce", "schedule:bot:tick"])
def test_an_event_that_comes_is_fine(event):
    assert list(registration_faults(event, {})) == []


async def sleeps(event, gl):
    time.sleep(1)  # noqa: ASYNC251 - what is looked for


async def sleeps_by_another_name(event, gl):
    sleep(1)  # noqa: ASYNC251 - what is looked for


async def runs_a_command(event, gl):
    return subprocess.run(["true"], check=True)  # noqa: ASYNC221 - what is looked for


async def forgets(event, gitlab):
    gitlab.post("/projects", data={})


async def forgets_to_sleep(event, gl):
    asyncio.sleep(1)


async def is_fine(event, gl):
    await gl.post("/projects", data={})
    await asyncio.sleep(0)
    posting = gl.put("/projects", data={})
    await posting

    def in_a_thread():
        time.sleep(1)

    await asyncio.to_thread(in_a_thread)
    event.data.get("x")


def plain(event, gl):
    time.sleep(1)


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        (sleeps, "time.sleep (line "),
        (sleeps_by_another_name, "time.sleep (line "),
        (runs_a_command, "subprocess.run (line "),
        (partial(sleeps), "time.sleep"),
        (forgets, "gitlab.post (line "),
        (forgets_to_sleep, "asyncio.sleep (line "),
    ],
)
def test_what_the_source_shows_is_said(handler, text):
    (fault,) = source_faults(handler)
    assert text in fault
    line = int(fault.partition("(line ")[2].partition(")")[0])
    assert Path(__file__).read_text().splitlines()[line - 1].startswith("    ")


@pytest.mark.parametrize("handler", [is_fine, plain, print, partial(plain), object])
def test_what_is_right_or_cannot_be_seen_is_left_alone(handler):
    assert list(source_faults(handler)) == []


def test_a_registry_tells_of_both():
    router = Router()
    router.add(sleeps, "Issue Hook", action="opened")
    warnings = list(Registry(router).warnings())
    assert len(warnings) == 2
    assert all(one.startswith(f"{__name__}:sleeps: ") for one in warnings)
