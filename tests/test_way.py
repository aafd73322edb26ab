"""The way of one delivery, traced at run time, is the way that ARCHITECTURE.md draws."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import httpx
import pytest
from gidgetlab.routing import Router

from hookyard.ledger.records import State
from ingress.app import create_app
from tests.fakes import a_delivery, until

ROOT = Path(__file__).resolve().parent.parent
OURS = tuple(f"{ROOT / package}/" for package in ("ingress", "hookyard", "worker"))
WEBHOOK = (
    b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"X-Gitlab-Event: Push Hook\r\nX-Gitlab-Token: right\r\nwebhook-id: %b\r\nContent-Length: 2\r\n\r\n{}"
)
MOST_MODULES = 15
BACKGROUND_TASKS = {"maintain", "prune", "heartbeat"}
TIMERS = {"_check_timeout"}


class Trace:
    """The modules of ours that are entered while it is open, in order; a resumed coroutine is no entry.

    A module is entered by a call from another module of ours or from the event loop.
    """

    def __init__(self) -> None:
        self.modules: list[str] = []
        self._seen: dict[int, object] = {}  # keeps the frames, so that no id is used twice

    def __enter__(self):
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_exc):
        sys.setprofile(None)

    def _note(self, frame, event, _argument):
        path = frame.f_code.co_filename
        if event != "call" or not path.startswith(OURS) or id(frame) in self._seen:
            return
        task = asyncio.current_task()
        if frame.f_code.co_name in TIMERS or (task is not None and task.get_name() in BACKGROUND_TASKS):
            return
        self._seen[id(frame)] = frame
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(OURS):
            caller = caller.f_back
        module = str(Path(path).relative_to(ROOT).with_suffix(""))
        is_entry = caller is None or caller.f_code.co_filename != path
        if is_entry and self.modules[-1:] != [module]:
            self.modules.append(module)


def drawn(name):
    """Return the modules of a way in ARCHITECTURE.md: those entered, and those where results return."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"^```way {name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^(◀ )?([a-z_]+(?:/[a-z_]+)+)", block, re.MULTILINE)
    assert [bool(back) for back, _ in found] == sorted(bool(back) for back, _ in found)
    return [module for back, module in found if not back], [module for back, module in found if back]


@pytest.fixture
async def post(make_settings, free_server):
    """Gives a coroutine function that posts a webhook as GitLab does and returns the status of the answer."""
    settings = make_settings(GL_SECRET="right", HOOKYARD_ALLOW_UNAUTHENTICATED=False)
    url = httpx.URL(await free_server(create_app(settings)))

    async def send(delivery_id):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(WEBHOOK % delivery_id)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        await writer.wait_closed()
        return int(answer.split()[1])

    return send


async def test_an_accepted_webhook_takes_the_way_that_is_drawn(post):
    assert await post(b"first") == 202  # from now on there is a connection to Redis
    with Trace() as trace:
        assert await post(b"traced") == 202
    there, back = drawn("door")
    assert trace.modules == there + back
    assert len(set(there)) == len(there) <= MOST_MODULES
    assert set(back) < set(there)


async def test_a_claimed_delivery_takes_the_way_that_is_drawn(start_worker, ledger, listing):
    router = Router()

    @router.register("Push Hook")
    async def push(event, gl):
        """Do nothing."""

    await start_worker(router)

    async def handled(delivery_id):
        return (await listing.get(delivery_id)).state is State.SUCCEEDED

    await ledger.accept(a_delivery("first"))  # from then on all connections are there
    await until(lambda: handled("first"))
    traced = a_delivery("traced")
    with Trace() as trace:
        await ledger.accept(traced)
        await until(lambda: handled("traced"))
        await until(lambda: "hookyard/redis/batching" in trace.modules)
    there, _ = drawn("worker")
    readers = {"hookyard/ledger/reader", "hookyard/ledger/keys"}  # of this test, and of its accept
    assert set(trace.modules) - readers == set(there)
