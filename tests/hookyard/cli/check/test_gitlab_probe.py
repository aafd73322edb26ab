from __future__ import annotations

import asyncio
import json
import time
from email.utils import formatdate

import httpx
import pytest
from gidgetlab.routing import Router
from gitlab_emulator.app import create_app
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from worker.diagnostics import gitlab_report, handlers_report

ADDRESS = "http://gitlab.test"


def test_the_report_on_handlers_names_each_with_its_events():
    report = handlers_report("handlers:router")
    assert report["error"] is None
    assert report["handlers"]["handlers.greet_reporter:greet_reporter"] == ["Issue Hook (action=open)"]
    assert report["handlers"]["handlers.build_docs:build_docs"] == ["Push Hook"]


def test_handlers_that_do_not_load_are_reported_with_the_reason():
    report = handlers_report("nowhere:router")
    assert "there is no module nowhere" in report["error"]
    assert report["handlers"] == {}


def test_one_handler_for_two_events_has_both():
    from worker.diagnostics import _Collecting

    router = Router()

    async def both(event, gl): ...

    router.add(both, "Push Hook")
    router.add(both, "Issue Hook", action="open")
    assert list(_Collecting(router).found.values()) == [["Push Hook", "Issue Hook (action=open)"]]


@pytest.fixture
def report_on(make_settings):
    """Gives a coroutine function that reports on a GitLab."""

    async def report(app, **given):
        settings = make_settings(GL_URL=ADDRESS, **given)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await gitlab_report(client, settings)

    return report


async def test_a_valid_token_is_reported_with_its_owner_and_scopes(report_on):
    report = await report_on(create_app(token="right"), GL_ACCESS_TOKEN="right")
    assert report["version"] == "19.1.0"
    assert report["token"] == {"valid": True, "user": "garden-bot", "scopes": ["api"], "expires_at": None}


async def test_a_wrong_token_is_reported_and_gitlab_still_answers(report_on):
    report = await report_on(create_app(token="right"), GL_ACCESS_TOKEN="geheim")
    assert (report["answers"], report["error"], report["token"]["valid"]) == (True, None, False)
    assert "geheim" not in json.dumps(report)


async def test_without_a_token_a_401_says_no_more_than_that_gitlab_answers(report_on):
    report = await report_on(create_app(token="right"))
    assert (report["answers"], report["error"], report["token"]) == (True, None, None)


async def test_a_token_that_may_not_look_at_itself_is_valid_all_the_same(report_on):
    async def version(_request):
        return JSONResponse({"version": "17.0"})

    async def forbidden(_request):
        return JSONResponse({"message": "403 Forbidden"}, 403)

    app = Starlette(routes=[Route("/api/v4/version", version), Route("/{path:path}", forbidden)])
    report = await report_on(app, GL_ACCESS_TOKEN="oauth")
    assert report["token"] == {"valid": True, "user": None, "scopes": None, "expires_at": None}


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (lambda now_s: formatdate(now_s + 3600, usegmt=True), pytest.approx(3600, abs=60)),
        (lambda now_s: formatdate(now_s - 3600, usegmt=True), pytest.approx(-3600, abs=60)),
        (lambda _now_s: "yesterday", None),
        (lambda _now_s: None, None),
    ],
)
async def test_how_far_gitlabs_clock_is_ahead_is_reported(report_on, date, expected):
    async def version(_request):
        told = date(time.time())
        return JSONResponse({"version": "19.1"}, headers={"date": told} if told else {})

    report = await report_on(Starlette(routes=[Route("/api/v4/version", version)]))
    assert report["clock_ahead_s"] == expected


@pytest.mark.parametrize(
    "answer", [PlainTextResponse("<html>nginx"), JSONResponse([]), PlainTextResponse("no", 404)]
)
async def test_what_is_no_gitlab_is_an_error(report_on, answer):
    async def anything(_request):
        return answer

    report = await report_on(Starlette(routes=[Route("/{path:path}", anything)]))
    assert ADDRESS in report["error"]


async def test_a_gitlab_that_does_not_answer_is_an_error(report_on):
    async def broken(_scope, _receive, _send):
        raise httpx.ConnectError("refused")

    report = await report_on(broken)
    assert (report["answers"], report["version"]) == (False, None)
    assert "does not answer" in report["error"]


async def test_the_process_prints_one_json_object_whatever_a_bot_prints(processes, tmp_path, free_server):
    url = await free_server(create_app())
    (tmp_path / "bot.py").write_text(
        "print('noise')\nfrom gidgetlab.routing import Router\nrouter = Router()\n"
    )
    process = processes.start(
        "-m", "worker.diagnostics", name="out", GL_URL=url, HOOKYARD_HANDLERS="bot:router"
    )
    assert await asyncio.to_thread(process.wait, 30) == 0
    last = processes.log("out").splitlines()[-1]
    assert json.loads(last)["handlers"] == {"import_string": "bot:router", "error": None, "handlers": {}}
