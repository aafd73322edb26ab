"""The watch over webhooks in an emulated GitLab: seen, enabled, imported, taken over."""

from __future__ import annotations

import httpx
import pytest
from gidgetlab.routing import Router
from gitlab_emulator.app import create_app as create_gitlab

from hookyard.ledger.records import State
from ingress.app import create_app
from tests.fakes import until
from tests.ports import free_port
from worker import hook_watch


@pytest.fixture
async def gitlab(free_server):
    """A client of an emulated GitLab's API."""
    url = await free_server(create_gitlab(token="t"))
    async with httpx.AsyncClient(base_url=f"{url}/api/v4", headers={"PRIVATE-TOKEN": "t"}) as client:
        client.web_url = url
        yield client


@pytest.fixture
async def disabled(gitlab):
    """A webhook that GitLab has disabled, since nobody was there; the port that it calls."""
    port = free_port()
    hook = {"url": f"http://127.0.0.1:{port}/", "token": "right", "issues_events": True, "push_events": False}
    hook_id = (await gitlab.post("/projects/1/hooks", json=hook)).json()["id"]

    async def tried(number):
        return len((await gitlab.get(f"/projects/1/hooks/{hook_id}/events")).json()) >= number

    for number in range(1, 5):
        await gitlab.post("/projects/1/issues", json={"title": f"lost {number}"})
        await until(lambda number=number: tried(number))
    return hook_id, port


def a_bot(seen):
    router = Router()

    @router.register("Issue Hook")
    async def note(event, gl):
        seen.append(event.data["object_attributes"]["title"])

    return router


async def test_nobody_acts_and_everything_comes_back(
    gitlab, disabled, start_worker, free_server, make_settings, monkeypatch, listing
):
    hook_id, port = disabled
    monkeypatch.setattr(hook_watch, "_RENEW_S", 0.05)
    monkeypatch.setattr(hook_watch, "LOOK_EVERY_S", 0.2)
    monkeypatch.setattr(hook_watch, "_FIRST_TEST_S", 0.2)
    seen = []
    worker = await start_worker(
        a_bot(seen),
        GL_URL=gitlab.web_url,
        GL_ACCESS_TOKEN="t",
        HOOKYARD_WATCH="greenhouse/watering-can",
        HOOKYARD_WATCH_ENABLE=True,
        HOOKYARD_WATCH_IMPORT=True,
        HOOKYARD_PUBLIC_URL=f"http://127.0.0.1:{port}/",
    )
    await until(lambda: len(seen) == 4)

    async def status():
        return (await gitlab.get(f"/projects/1/hooks/{hook_id}")).json()["alert_status"]

    assert await status() == "temporarily_disabled"  # while the ingress is away it is left so
    await free_server(
        create_app(make_settings(GL_SECRET="right", HOOKYARD_ALLOW_UNAUTHENTICATED=False)), port=port
    )

    async def is_executable():
        return await status() == "executable"

    await until(is_executable)
    await gitlab.post("/projects/1/issues", json={"title": "at once"})
    await until(lambda: "at once" in seen)
    assert sorted(seen) == ["at once", *(f"lost {number}" for number in range(1, 5))]
    labels = {"hook": f"greenhouse/watering-can {hook_id}", "status": "executable"}
    registry = worker._context.metrics.registry
    await until(lambda: registry.get_sample_value("hookyard_worker_hook_status", labels) == 1)
    assert registry.get_sample_value("hookyard_worker_hooks_imported_total") == 4

    async def settled():
        stats = await listing.stats()
        return stats.total == stats.states[State.SUCCEEDED] + stats.states[State.IGNORED]

    await until(settled)


async def test_one_of_a_fleet_watches_and_another_takes_over(
    gitlab, disabled, start_worker, monkeypatch, client, ledger
):
    monkeypatch.setattr(hook_watch, "_RENEW_S", 0.05)
    monkeypatch.setattr(hook_watch, "HOLD_S", 0.5)
    given = {
        "GL_URL": gitlab.web_url,
        "GL_ACCESS_TOKEN": "t",
        "HOOKYARD_WATCH": "greenhouse",
        "HOOKYARD_PUBLIC_URL": f"http://127.0.0.1:{disabled[1]}/",
    }
    workers = {worker.name: worker for worker in [await start_worker(a_bot([]), **given) for _ in range(2)]}

    async def holder():
        found = await client.get(ledger.keys.watch)
        return found.decode() if found else None

    first = await until(holder)
    assert first in workers
    await workers[first].close()

    async def other():
        return await holder() not in {first, None}

    await until(other)
