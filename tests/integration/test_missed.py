"""What GitLab lost on the way is fetched back: an emulated GitLab, an ingress that is away for a while."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import httpx
import pytest
from gidgetlab.routing import Router
from gitlab_emulator.app import create_app as create_gitlab

from hookyard.ledger.query import Filter
from hookyard.ledger.records import State
from ingress.app import create_app
from tests.fakes import until
from tests.hookyard.cli.conftest import process_environment
from tests.ports import free_port

BOT = """
from gidgetlab.routing import Router

router = Router()

@router.register("Issue Hook")
async def note(event, gl): ...
"""
PROJECT = "greenhouse/watering-can"


@pytest.fixture
async def gitlab(free_server):
    """An emulated GitLab, and a client of its API."""
    url = await free_server(create_gitlab(token="t"))
    async with httpx.AsyncClient(base_url=f"{url}/api/v4", headers={"PRIVATE-TOKEN": "t"}) as client:
        client.web_url = url
        yield client


@pytest.fixture
def hookyard(tmp_path, redis_url, gitlab):
    """Gives a coroutine function that runs the command line in a folder with a bot."""
    (tmp_path / "bot.py").write_text(BOT)

    async def run(*arguments, port, code=0):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "hookyard.cli.main", *arguments],
            cwd=tmp_path,
            env=process_environment(
                REDIS_URL=redis_url,
                GL_URL=gitlab.web_url,
                GL_ACCESS_TOKEN="t",
                HOOKYARD_HANDLERS="bot:router",
                HOOKYARD_WATCH=PROJECT,
                HOOKYARD_PUBLIC_URL=f"http://127.0.0.1:{port}/",
                COLUMNS="140",
            ),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return run


async def open_issue(gitlab, title):
    answer = await gitlab.post("/projects/1/issues", json={"title": title})
    assert answer.status_code == 201, answer.text


async def test_a_disabled_webhook_is_found_enabled_and_what_it_lost_is_imported(
    gitlab, hookyard, free_server, make_settings, ledger, listing, start_worker
):
    port = free_port()
    hook = {"url": f"http://127.0.0.1:{port}/", "token": "right", "issues_events": True, "push_events": False}
    hook_id = (await gitlab.post("/projects/1/hooks", json=hook)).json()["id"]

    async def rows():
        return (await gitlab.get(f"/projects/1/hooks/{hook_id}/events")).json()

    for number in range(5):  # nobody is there: after four failures GitLab does not even try
        await open_issue(gitlab, f"lost {number}")
        await until(lambda number=number: _count(rows, min(number + 1, 4)))
    (found,) = (await hookyard("hooks", "--json", port=port, code=1))["hooks"]
    assert found["status"] == "temporarily disabled"
    assert found["missing_events"] == []

    settings = make_settings(GL_SECRET="right", HOOKYARD_ALLOW_UNAUTHENTICATED=False)
    await free_server(create_app(settings), port=port)
    listed = await hookyard("missed", port=port)
    assert listed.count("internal error") == 4
    assert "hookyard import" in listed
    assert (await hookyard("import", "--dry-run", "--json", port=port))["would import"] == 4
    result = await hookyard("import", "--json", port=port)
    assert (result["imported"], result["without_handler"]) == (4, 0)
    assert (await hookyard("import", "--json", port=port))["imported"] == 0

    (enabled,) = (await hookyard("hooks", "--enable", "--json", port=port, code=1))["hooks"]
    assert enabled["enabling"] == "enabled"
    assert (await hookyard("hooks", "--json", port=port))["hooks"][0]["status"] == "executable"
    await open_issue(gitlab, "seen at once")
    router, seen = Router(), []

    @router.register("Issue Hook")
    async def note(event, gl):
        seen.append(event.data["object_attributes"]["title"])

    await start_worker(router, GL_URL=gitlab.web_url, GL_ACCESS_TOKEN="t")
    await until(lambda: len(seen) == 5)
    assert sorted(seen) == [*(f"lost {number}" for number in range(4)), "seen at once"]
    origins = [record.delivery.origin for record in (await listing.page(Filter(), limit=20)).records]
    assert origins.count("gitlab-log") == 4

    # accepted, and then a Redis came back without it
    (last,) = [
        row
        for row in await rows()
        if row["request_data"].get("object_attributes", {}).get("title") == "seen at once"
    ]
    lost_id = last["request_headers"]["Idempotency-Key"]

    async def all_done():
        stats = await listing.stats()
        return stats.states[State.SUCCEEDED] + stats.states[State.IGNORED] == stats.total

    await until(all_done)
    await ledger.discard([lost_id])
    told = (await hookyard("missed", "--lost", "--json", port=port))["missed"]
    assert [one["id"] for one in told if one["fate"] == "accepted, then lost"] == [lost_id]
    assert (await hookyard("import", "--lost", "--json", port=port))["imported"] == 1
    await until(lambda: seen.count("seen at once") == 2)


async def test_what_cannot_be_looked_at_is_said(gitlab, hookyard, tmp_path):
    port = free_port()
    out = await hookyard("hooks", "nowhere/at-all", port=port, code=1)
    assert f"calls http://127.0.0.1:{port}/" in out


async def _count(rows, number):
    return len(await rows()) >= number
