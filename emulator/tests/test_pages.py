"""The pages for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

NOTES = "/api/v4/projects/1/issues/1/notes"
EVIL = "<script>alert('x')</script>\n& \"more\""


async def test_the_overview_shows_what_the_bot_did(web: httpx.AsyncClient) -> None:
    """Its note, marked as a bot's, and the call that wrote it."""
    await web.post(NOTES, json={"body": "Thank you!"}, headers={"X-Gitlab-Event-UUID": "e-77"})
    page = (await web.get("/")).text
    assert "Thank you!" in page
    assert 'class="note by-bot"' in page
    assert page.count('class="note"') == 2  # the people's
    assert "<b>1</b> note by the bot" in page
    assert "/api/v4/projects/1/issues/1/notes" in page
    assert "e-77" in page


@pytest.mark.parametrize("kind", ["issues", "merge_requests"])
async def test_a_web_url_opens_the_page_of_the_thing(web: httpx.AsyncClient, kind: str) -> None:
    """As it would in GitLab."""
    thing = (await web.get(f"/api/v4/projects/1/{kind}/1")).json()
    page = await web.get(thing["web_url"])
    assert page.status_code == 200
    assert f"<h1>{thing['title']}</h1>" in page.text
    assert (await web.get("/greenhouse/watering-can")).text.count('<article class="card">') == 2


async def test_whatever_is_written_is_shown_as_text(web: httpx.AsyncClient) -> None:
    """Titles, labels, notes, paths, headers and bodies."""
    await web.post(NOTES, json={"body": EVIL}, headers={"User-Agent": EVIL.replace("\n", "")})
    await web.post("/api/v4/projects/1/issues", json={"title": EVIL, "description": EVIL, "labels": EVIL})
    await web.get("/api/v4/nothing", params={"x": EVIL})
    for path in ("/", "/greenhouse/watering-can/-/issues/1", "/greenhouse/watering-can/-/issues/2"):
        page = (await web.get(path)).text
        assert "<script" not in page
        assert "&lt;script&gt;" in page


async def test_no_page_runs_scripts_or_loads_from_elsewhere(web: httpx.AsyncClient) -> None:
    """The policy says so to the browser."""
    answer = await web.get("/")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert (await web.get("/-/style.css")).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/greenhouse/watering-can/-/issues/99",
        "/greenhouse/watering-can/-/issues/" + "9" * 5000,
        "/greenhouse/watering-can/-/issues/²",
        "/greenhouse/watering-can/-/pipelines/1",
        "/no/where/-/issues/1",
        "/%ff/%00",
    ],
)
async def test_a_page_that_is_not_there_says_so(web: httpx.AsyncClient, path: str) -> None:
    """With a way back."""
    answer = await web.get(path)
    assert (answer.status_code, "Nothing here" in answer.text) == (404, True)


async def test_pages_stay_bounded(web: httpx.AsyncClient) -> None:
    """Many notes and calls make no endless page."""
    for number in range(60):
        await web.post(NOTES, json={"body": f"note {number}."})
    page = (await web.get("/")).text
    assert "note 59." in page
    assert "note 40.</p>" not in page
    assert "56 earlier notes are not shown here" in page
    assert page.count('<li class="call">') == 50
    assert "note 0." in (await web.get("/greenhouse/watering-can/-/issues/1")).text


@pytest.mark.parametrize(
    ("query", "intervals"), [("", []), ("?refresh=2", ["2"]), ("?refresh=0", []), ("?refresh=%22", [])]
)
async def test_the_page_reloads_by_itself_when_asked(
    web: httpx.AsyncClient, query: str, intervals: list[str]
) -> None:
    """Without scripts, at an interval that does no harm."""
    page = (await web.get(f"/{query}")).text
    assert re.findall(r'http-equiv="refresh" content="(.*?)"', page) == intervals


async def test_health_is_answered_while_the_process_lives(web: httpx.AsyncClient) -> None:
    """For whoever starts it and waits."""
    assert (await web.get("/health")).status_code == 200
