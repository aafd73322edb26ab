from __future__ import annotations

import json
import time
from email.utils import formatdate

import httpx
import pytest
from gitlab_emulator.app import create_app
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from hookyard.cli.check.gitlab_probe import gitlab_report

ADDRESS = "http://gitlab.test"


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
