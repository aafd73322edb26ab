"""The API as HTTP: tokens, bad requests, unknown paths, rate limits, and the record of calls."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from gitlab_emulator.app import create_app
from gitlab_emulator.gitlab_api.limits import CALLS_PER_MINUTE, RateLimit

if TYPE_CHECKING:
    from datetime import datetime

ISSUES = "/api/v4/projects/1/issues"
JSON = {"Content-Type": "application/json"}


def client_of(**options: str) -> httpx.AsyncClient:
    """A client of a fresh emulator with these options."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app(**options)),  # type: ignore[arg-type]
        base_url="http://gitlab.test",
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"PRIVATE-TOKEN": "glpat-one"}, 200),
        ({"Authorization": "Bearer glpat-one"}, 200),
        ({"Authorization": "bearer  glpat-one"}, 200),
        ({}, 401),
        ({"PRIVATE-TOKEN": "glpat-two"}, 401),
        ({"Authorization": "Bearer glpat-two"}, 401),
        ({"Authorization": "Basic glpat-one"}, 401),
        ({"PRIVATE-TOKEN": ""}, 401),
    ],
)
async def test_with_a_token_only_that_one_is_taken(headers: dict[str, str], status: int) -> None:
    """In either header that GitLab knows."""
    async with client_of(token="glpat-one") as web:
        answer = await web.get("/api/v4/user", headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.json() == {"message": "401 Unauthorized"}


async def test_without_a_token_anybody_may_call(web: httpx.AsyncClient) -> None:
    """With any token, or none."""
    assert (await web.get("/api/v4/user", headers={"PRIVATE-TOKEN": "whatever"})).status_code == 200
    assert (await web.get("/api/v4/user")).status_code == 200


async def test_links_lead_to_the_external_url() -> None:
    """And not to the address that a request happened to come to."""
    async with client_of(external_url="https://git.example/sub/") as web:
        answer = await web.get(ISSUES)
    assert answer.json()[0]["web_url"] == "https://git.example/sub/greenhouse/watering-can/-/issues/1"
    assert answer.links["first"]["url"].startswith("https://git.example/sub/api/v4/projects/1/issues?")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"title": ', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"title": NaN}', JSON, 400),
        (b'{"title": "\\ud800"}', JSON, 400),
        (b'{"\\udfff": 1}', JSON, 400),
        (b'{"title": ' + b"9" * 5000 + b"}", JSON, 400),
        (b'{"title": ' + b"[" * 200_000, JSON, 400),
        (b'["title"]', JSON, 400),
        (b"null ", JSON, 400),
        (b"", JSON, 400),
        (b"title=x", {"Content-Type": "text/plain"}, 415),
        (b"title=x", {}, 400),
        (b'{"title": "x"}', {}, 201),
        (b'{"title": "x"}', {"Content-Type": "application/json; charset=bogus"}, 201),
        (b"title=%ff", {"Content-Type": "application/x-www-form-urlencoded"}, 201),
        (b"x" * (8 * 1024 * 1024 + 1), JSON, 413),
    ],
)
async def test_a_body_that_cannot_be_read_is_the_clients_fault(
    web: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    """A 4xx with a JSON body, never a 500."""
    answer = await web.post(ISSUES, content=body, headers=headers)
    assert answer.status_code == status
    assert isinstance(answer.json(), dict)
    assert (await web.get("/-/calls")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/v4/snippets", "/api/v3/user", "/api/v4", "/api/graphql", "/api/v4/%ff%00"]
)
async def test_what_the_emulator_does_not_do_is_said_and_logged_once(
    web: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """So that the author of a bot sees what is missing, and not a hundred times."""
    caplog.set_level(logging.WARNING, "gitlab_emulator")
    for _ in range(3):
        answer = await web.get(path)
        assert answer.status_code == 404
        assert answer.json() == {"error": f"404 Not Found: the emulator does not do GET {path} (yet)"}
    assert [record.message for record in caplog.records] == [f"the emulator does not do GET {path} (yet)"]


async def test_answers_carry_the_rate_limit(web: httpx.AsyncClient, now: datetime) -> None:
    """With the end of the minute as the time of the reset."""
    await web.get("/api/v4/version")
    headers = (await web.get("/api/v4/version")).headers
    assert (headers["RateLimit-Observed"], headers["RateLimit-Remaining"]) == ("2", "1998")
    assert int(headers["RateLimit-Reset"]) == int(now.replace(second=0).timestamp()) + 60
    assert headers["RateLimit-ResetTime"] == "Fri, 20 Nov 2026 12:31:00 GMT"


def test_the_count_of_calls_never_says_that_none_is_left(now: datetime) -> None:
    """Because nobody is turned away unless a limit is set."""
    limit = RateLimit()
    last = [limit.count(3, now) for _ in range(CALLS_PER_MINUTE + 5)][-1]
    assert not last.too_many
    assert (last.headers["RateLimit-Observed"], last.headers["RateLimit-Remaining"]) == ("2005", "1")


async def test_calls_are_recorded_with_what_a_test_asks_for(web: httpx.AsyncClient) -> None:
    """Method, path, status, time, the two headers, the body; never a token."""
    headers = {"X-Gitlab-Event-UUID": "e-1", "User-Agent": "bot/1", "PRIVATE-TOKEN": "glpat-secret"}
    await web.post(f"{ISSUES}/1/notes?token=glpat-secret&a=1", json={"body": "Hi"}, headers=headers)
    await web.get("/api/v4/nothing")
    calls = (await web.get("/-/calls")).json()
    assert "glpat-secret" not in json.dumps(calls)
    note, nothing = calls
    assert note["method"] == "POST"
    assert note["path"] == "/api/v4/projects/1/issues/1/notes"
    assert note["query"] == "token=%5BREDACTED%5D&a=1"
    assert (note["status"], note["by_fault"]) == (201, False)
    assert note["at"] == "2026-11-20T12:30:15.250000+00:00"
    assert note["headers"] == {"X-Gitlab-Event-UUID": "e-1", "User-Agent": "bot/1"}
    assert note["body"] == {"body": "Hi"}
    assert (nothing["status"], nothing["body"]) == (404, None)
    assert (await web.delete("/-/calls")).status_code == 204
    assert (await web.get("/-/calls")).json() == []


async def test_only_the_last_thousand_calls_are_kept(web: httpx.AsyncClient) -> None:
    """The record is bounded, in number and in the size of bodies."""
    for _ in range(1_002):
        await web.get("/api/v4/version")
    await web.post(f"{ISSUES}/1/notes", json={"body": "x" * 70_000})
    calls = (await web.get("/-/calls")).json()
    assert (len(calls), calls[0]["id"], calls[-1]["id"]) == (1_000, 4, 1_003)
    assert calls[-1]["body"] == "(70011 bytes, not kept)"


async def test_a_slash_at_the_end_is_no_redirect(web: httpx.AsyncClient) -> None:
    """GitLab answers both."""
    assert (await web.get("/api/v4/version/")).status_code == 200
