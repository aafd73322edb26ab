"""A handler written for gidgetlab's own ``GitLabBot`` runs unchanged."""

from __future__ import annotations

import gidgetlab.aiohttp
import gidgetlab.routing

from hookyard.ledger.records import State
from tests.fakes import a_delivery, until

bot = gidgetlab.aiohttp.GitLabBot("greeter")
labels = gidgetlab.routing.Router()


@bot.router.register("Issue Hook", action="open")
async def issue_opened(event, gl, *args, **kwargs):
    """As in the documentation of ``GitLabBot``, but for its words."""
    url = f"/projects/{event.project_id}/issues/{event.object_attributes['iid']}/notes"
    await gl.post(url, data={"body": f"Welcome @{event.data['user']['username']}"})
    labels.seen = (event.event, args, kwargs)


async def test_it_gets_the_event_and_a_client_and_nothing_else(start_worker, ledger, listing, free_server):
    calls = []

    async def gitlab(scope, receive, send):
        if scope["type"] == "http":
            calls.append((scope["method"], scope["path"], (await receive())["body"]))
            await send(
                {
                    "type": "http.response.start",
                    "status": 201,
                    "headers": [(b"content-type", b"application/json")],
                }
            )
            await send({"type": "http.response.body", "body": b'{"id": 1}'})

    await start_worker(bot.router, GL_URL=await free_server(gitlab), GL_ACCESS_TOKEN="t")
    data = {
        "object_kind": "issue",
        "user": {"username": "ada"},
        "project": {"id": 3},
        "object_attributes": {"action": "open", "iid": 9},
    }
    await ledger.accept(a_delivery("d-1", event="Issue Hook", data=data))

    async def finished():
        return (await listing.get("d-1")).state is State.SUCCEEDED

    await until(finished)
    assert calls == [("POST", "/api/v4/projects/3/issues/9/notes", b'{"body": "Welcome @ada"}')]
    assert labels.seen == ("Issue Hook", (), {})
