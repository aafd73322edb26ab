"""Signing in: passwords, the link that up prints, and how a session ends."""

from __future__ import annotations

import pytest

from hookyard.console.store import TRIES
from tests.hookyard.console.conftest import LINK, PASSWORD


async def enter(client, name, password, **given):
    return await client.post("/sign-in", data={"name": name, "password": password, **given})


async def test_the_cookie_is_for_this_site_alone_and_no_script_reads_it(console):
    async with console.client() as client:
        cookie = (await enter(client, "ann", PASSWORD)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert PASSWORD not in cookie


async def test_wrong_passwords_close_the_door_to_a_name_for_a_while(console, client):
    async with console.client() as browser:
        for _ in range(TRIES):
            assert (await enter(browser, "ann", "wrong")).status_code == 401
        answer = await enter(browser, "ann", PASSWORD)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 300
        assert "hookyard_session" not in browser.cookies
        for key in await client.keys("hookyard:console:tries:*"):
            await client.delete(key)  # as time does
        assert (await enter(browser, "ann", PASSWORD)).status_code == 303


async def test_a_name_that_nobody_has_is_answered_like_a_wrong_password(console):
    async with console.client() as browser:
        known, unknown = await enter(browser, "ann", "wrong"), await enter(browser, "nobody", "wrong")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)


async def test_the_link_signs_in_once(console):
    async with console.client() as first, console.client() as second:
        assert (await first.get(f"/sign-in?link={LINK}")).headers["location"] == "/"
        assert (await first.get("/audit")).status_code == 200
        answer = await second.get(f"/sign-in?link={LINK}")
        assert answer.status_code == 403
        assert "was used before" in answer.text
        assert (await second.get("/")).status_code == 303


async def test_another_link_is_none(console):
    async with console.client() as client:
        assert (await client.get("/sign-in?link=guessed")).status_code == 403
        assert (await client.get("/")).status_code == 303


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/failures?x=1", "/failures?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nset-cookie: x=1", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
async def test_after_signing_in_one_stays_on_this_site(console, target, leads_to):
    async with console.client() as client:
        assert (await enter(client, "vic", PASSWORD, next=target)).headers["location"] == leads_to


async def test_a_session_that_was_ended_is_over_for_a_copied_cookie_too(console, sign_in):
    vic = await sign_in("vic")
    async with console.client(cookies=dict(vic.cookies)) as copied:
        assert (await copied.get("/")).status_code == 200
        assert (await vic.post("/sign-out", data={"csrf": vic.csrf})).headers["location"] == "/sign-in"
        assert (await copied.get("/")).headers["location"].startswith("/sign-in")


async def test_a_page_that_needs_a_session_comes_after_signing_in(console):
    async with console.client() as client:
        answer = await client.get("/deliveries?q=state:failed")
        assert answer.headers["location"] == "/sign-in?next=%2Fdeliveries%3Fq%3Dstate%3Afailed"


async def test_who_came_and_went_is_audited(console, sign_in):
    vic = await sign_in("vic")
    await vic.post("/sign-out", data={"csrf": vic.csrf})
    async with console.with_token("admin") as admin:
        entries = (await admin.get("/api/v1/audit")).json()["entries"]
    assert [(entry["name"], entry["what"]) for entry in entries] == [("vic", "sign out"), ("vic", "sign in")]
