"""The access token goes to its GitLab and nowhere else, whatever a handler does with it or raises."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from hookyard.ledger.records import State
from tests.fakes import a_delivery, until

TOKEN = "glpat-it's/a+secret%\\x41"
PASSWORD = "pass w0rd&ß"
BOT = """
import base64, json, logging, os, subprocess, sys
from urllib.parse import quote, quote_plus
import structlog
from gidgetlab.routing import Router
from hookyard import current_delivery

router = Router()
TOKEN, PASSWORD = json.loads(os.environ["BOT_SECRETS"])

def on(handler):
    router.add(handler, "Issue Hook", action=handler.__name__)
    return handler

class Odd(Exception):
    def __repr__(self):
        return f"Odd({TOKEN!r})"

@on
async def says_it(event, gl):
    logging.getLogger("bot").warning("token %s", TOKEN)
    structlog.get_logger().warning("token", token=TOKEN, nested={"a": [TOKEN]})
    current_delivery().log.warning("token", token=TOKEN, url=quote(PASSWORD))
    raise ValueError(f"{TOKEN} {PASSWORD}", TOKEN)

@on
async def chains_it(event, gl):
    try:
        raise KeyError(TOKEN)
    except KeyError as exc:
        error = RuntimeError("see its cause")
        error.add_note(f"the password is {PASSWORD}")
        raise error from exc

@on
async def groups_it(event, gl):
    raise ExceptionGroup(TOKEN, [ValueError(quote(TOKEN, safe="")), OSError(5, PASSWORD, TOKEN), Odd(TOKEN)])

@on
async def quotes_it(event, gl):
    basic = base64.b64encode(f"oauth2:{TOKEN}".encode()).decode()
    raise ValueError(json.dumps({"authorization": f"Basic {basic}", "url": f"redis://:{quote_plus(PASSWORD)}@h"}))

@on
async def far_in_a_long_text(event, gl):
    raise ValueError("x" * 7950 + TOKEN + "y" * 7950 + PASSWORD)

@on
def runs_a_command(event, gl):
    subprocess.run([sys.executable, "-c", "raise SystemExit(1)", TOKEN, PASSWORD], check=True)

@on
async def asks_another_host(event, gl):
    await gl.getitem(os.environ["BOT_ELSEWHERE"] + "/api/v4/projects")

@on
async def follows_a_link(event, gl):
    assert [item async for item in gl.getiter("/linked")] == [1, 2]

@on
async def follows_a_link_out(event, gl):
    [item async for item in gl.getiter("/linked-out")]

@on
async def asks_for_what_redirects(event, gl):
    await gl.getitem("/redirects")
"""
SUCCEEDS = {"follows_a_link"}
ACTIONS = (
    *("says_it", "chains_it", "groups_it", "quotes_it", "far_in_a_long_text", "runs_a_command"),
    *("asks_another_host", "follows_a_link", "follows_a_link_out", "asks_for_what_redirects"),
)


class Servers:
    """A GitLab that links to another host, and that host; what each was sent."""

    def __init__(self):
        self.url = self.elsewhere = ""
        self.gitlab, self.stolen = [], []

    async def answer(self, request):
        self.gitlab.append(dict(request.headers))
        path, page = request.url.path.removeprefix("/api/v4"), request.query_params.get("page")
        if path == "/linked":
            link = {"Link": f'<{self.elsewhere}/api/v4/linked?page=2>; rel="next"'} if page is None else {}
            return JSONResponse([1 if page is None else 2], headers=link)
        if path == "/linked-out":
            return JSONResponse([1], headers={"Link": f'<{self.elsewhere}/elsewhere>; rel="next"'})
        return JSONResponse({}, status_code=302, headers={"Location": f"{self.elsewhere}/api/v4/x"})

    async def take(self, request):
        self.stolen.append(dict(request.headers))
        return JSONResponse([])


@pytest.fixture
async def servers(free_server):
    found = Servers()
    routes = [Route("/{path:path}", found.answer)]
    found.url = await free_server(Starlette(routes=routes))
    found.elsewhere = await free_server(Starlette(routes=[Route("/{path:path}", found.take)]))
    return found


async def everything(client):
    """Yield each byte string in Redis that is not a body."""
    async for key in client.scan_iter("*"):
        yield key
        if await client.type(key) == b"hash":
            for name, value in (await client.hgetall(key)).items():
                yield name
                if name != b"body":
                    yield value


def run(processes, command):
    """Run the command line; return all that it prints."""
    environment = {**os.environ, **processes.environment}
    done = subprocess.run(
        [sys.executable, "-m", "hookyard.cli.main", *command],
        env=environment,
        cwd=processes.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


async def test_no_secret_is_in_redis_a_log_or_an_output_and_the_token_went_to_gl_url_alone(
    processes, client, ledger, listing, servers
):
    processes.environment |= {
        "GL_URL": servers.url,
        "GL_ACCESS_TOKEN": TOKEN + "\n",
        "GL_SECRET": PASSWORD,
        "BOT_SECRETS": json.dumps([TOKEN, PASSWORD]),
        "BOT_ELSEWHERE": servers.elsewhere,
        "HOOKYARD_HANDLERS": "bot:router",
        "HOOKYARD_MAX_ATTEMPTS": "1",
        "HOOKYARD_LOG_LEVEL": "debug",
        "HOOKYARD_LOG_FORMAT": "json",
    }
    (processes.directory / "bot.py").write_text(BOT)
    worker = processes.worker("worker")
    for action in ACTIONS:
        data = {"object_kind": "issue", "object_attributes": {"action": action}}
        await ledger.accept(a_delivery(action, event="Issue Hook", data=data))

    async def ended():
        records = [await listing.get(action) for action in ACTIONS]
        return all(record.finished_ms for record in records) and records

    records = dict(zip(ACTIONS, await until(ended, within_s=120), strict=True))
    assert {action for action, record in records.items() if record.state is State.SUCCEEDED} == {
        "follows_a_link"
    }
    assert "refused" in records["asks_another_host"].error
    assert "***" in records["says_it"].error
    assert servers.stolen == []
    assert all(sent["authorization"] == f"Bearer {TOKEN}" for sent in servers.gitlab)
    commands = [["show", action, *more] for action in ACTIONS[:5] for more in ([], ["--json"])]
    shown = [await asyncio.to_thread(run, processes, command) for command in commands]
    worker.terminate()
    await asyncio.to_thread(worker.wait, 60)
    texts = [*shown, processes.log("worker")]
    stored = [each async for each in everything(client)]
    forms = [
        form
        for secret in (TOKEN, PASSWORD)
        for form in (
            secret,
            quote(secret, safe=""),
            json.dumps(secret)[1:-1],
            repr(secret)[1:-1],
            base64.b64encode(f"oauth2:{secret}".encode()).decode()[12:-4],
            secret[: len(secret) * 2 // 3],
            secret[len(secret) // 3 :],
        )
    ]
    assert [form for form in forms for text in texts if form in text] == []
    assert [form for form in forms for each in stored if form.encode() in each] == []
