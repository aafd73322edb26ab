"""What pages show of strange things: markup, large bodies, many names, a Redis that is away."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from urllib.parse import unquote

import pytest

from hookyard.console.app import create_app
from hookyard.console.pages.single import SHOWN_BYTES
from hookyard.settings.settings import load
from tests.fakes import a_delivery
from tests.hookyard.console.conftest import FINGERPRINT, TOKENS, Console, a_settlement

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
PAGES = [
    *("/", "/deliveries", "/deliveries?q=state:failed", "/deliveries/d-0", "/failures"),
    *(f"/failures/{FINGERPRINT}", "/handlers", "/secrets", "/orders", "/objects?object=group/app%230"),
]


async def page(console, path, role="viewer"):
    async with console.with_token(role) as client:
        answer = await client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_needs_no_script_and_has_none_inline(console, filled, path):
    text = await page(console, path)
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
    assert not any(scripts)
    assert not re.search(r"<[^>]+\s(on\w+|style)=", text)
    assert text.count("<h1") == 1


async def test_markup_in_a_delivery_is_shown_as_it_is(console, ledger, client):
    await ledger.accept(
        a_delivery(
            "d-0",
            event=EVIL,
            project=EVIL,
            object="#1",
            data={"a": EVIL},
            headers={"x-evil": EVIL},
            authenticated_by=EVIL,
        )
    )
    record = (await ledger.claim(worker=EVIL, limit=1)).records[0]
    await ledger.settle(a_settlement(record, failed=True, handler=EVIL))
    for path in (*PAGES, f"/deliveries?q={'%3Cscript%3Ealert(1)'}"):
        text = await page(console, path)
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path


async def test_links_from_a_body_lead_to_web_pages_only(console, filled):
    text = await page(console, "/deliveries/d-0")
    assert 'href="https://gitlab.example.com/group/app"' in text
    assert 'href="javascript' not in text


async def test_a_large_body_is_shown_in_part(console, ledger):
    await ledger.accept(a_delivery("large", body=b'{"a": "' + b"x" * 25_000_000 + b'"}'))
    await ledger.accept(a_delivery("deep", body=b"[" * 200_000))
    text = await page(console, "/deliveries/large")
    assert len(text) < SHOWN_BYTES + 50_000
    assert "Only the first" in text
    await page(console, "/deliveries/deep")


async def test_ten_thousand_handlers_fill_no_page(console, client):
    hour = int((await client.time())[0]) // 3600
    fields = {f"8\nsucceeded\nbot:handler_{number}": 1 for number in range(10_000)}
    await client.hset(f"hookyard:hours:{hour}", mapping=fields)
    await client.expire(f"hookyard:hours:{hour}", 60)
    text = await page(console, "/handlers")
    assert text.count("<tr") <= 502
    assert "others had fewer attempts" in text


async def test_a_filter_that_cannot_be_used_is_told_beside_the_field(console, filled):
    text = await page(console, "/deliveries?q=stat:failed")
    assert "did you mean state:?" in text
    assert 'value="stat:failed"' in text


async def test_a_viewer_sees_no_button_that_they_may_not_press(console, filled):
    assert "Replay" not in await page(console, "/deliveries/d-0")
    assert "Replay failed handlers" in await page(console, "/deliveries/d-0", "operator")


async def test_a_form_that_is_sent_twice_does_its_work_once(sign_in, filled, ledger, listing):
    ann = await sign_in("ann")
    form = {"csrf": ann.csrf, "what": "all", "key": "12345678"}
    for _ in range(2):
        assert (await ann.post("/deliveries/d-0/replay", data=form)).status_code == 303
        if claims := (await ledger.claim(worker="w", limit=1, only="d-0")).records:
            await ledger.settle(a_settlement(claims[0], failed=False))
    assert (await listing.get("d-0")).claims == 2


async def test_what_is_ticked_is_replayed_though_some_of_it_is_gone(sign_in, filled, listing):
    ann = await sign_in("ann")
    form = {"csrf": ann.csrf, "kind": "replay failed", "key": "12345678", "ids": ["d-0", "d-9", "d-1"]}
    assert (await ann.post("/deliveries/selected", data=form)).status_code == 303
    assert [(await listing.get(one)).state.value for one in ("d-0", "d-1", "d-2")] == [
        *("queued", "queued", "failed")
    ]


async def test_a_list_says_how_many_are_new(console, filled, ledger):
    text = await page(console, "/deliveries")
    after = re.search(r'"after": "(\d+):(d-5)"', text.replace("&#34;", '"'))
    await ledger.accept(a_delivery("n-1", event="Issue Hook"))
    await ledger.accept(a_delivery("n-2", event="Push Hook"))
    assert "2 new" in await page(console, f"/deliveries/new?after={after[1]}:{after[2]}")
    assert "1 new" in await page(console, f"/deliveries/new?after={after[1]}:{after[2]}&q=event:push")


async def test_pages_say_that_redis_is_away_and_come_back(own_redis, free_server):
    settings = load(REDIS_URL=own_redis.url, HOOKYARD_CONSOLE_TOKENS=f"root:admin:{TOKENS['admin'][1]}")
    console = Console(url=await free_server(create_app(settings)), app=None)
    async with console.with_token("admin") as client:
        assert (await client.get("/deliveries")).status_code == 200
        own_redis.stop()
        answer = await client.get("/deliveries")
        assert answer.status_code == 503
        assert 'http-equiv="refresh"' in answer.text
        assert (await client.get("/api/v1/stats")).json()["title"] == "Service Unavailable"
        own_redis.start()
        assert (await client.get("/deliveries")).status_code == 200


async def test_a_body_is_edited_and_delivered_as_a_new_one(console, filled, listing, sign_in):
    ann = await sign_in("ann")
    text = (await ann.get("/deliveries/d-0")).text
    assert "Edit, and deliver as a new one" in text
    form = {
        "csrf": ann.csrf,
        "key": re.search(r'name="key" value="([^"]+)"', text)[1],
        "body": '{"object_kind": "push", "edited": true}',
    }
    first = await ann.post("/deliveries/d-0/edited", data=form)
    again = await ann.post("/deliveries/d-0/edited", data=form)
    assert (first.status_code, again.headers["location"]) == (303, first.headers["location"])
    bad = await ann.post("/deliveries/d-0/edited", data={**form, "key": "another-key", "body": "{"})
    assert bad.status_code == 409
    record = await listing.get(unquote(first.headers["location"].rpartition("/")[2]))
    assert (record.delivery.origin, record.delivery.parent) == ("manual", "d-0")
    assert json.loads(record.delivery.body)["edited"] is True
    assert "/deliveries/d-0" in (await ann.get(first.headers["location"])).text


async def test_who_may_not_read_bodies_is_shown_no_editor(console, filled, sign_in):
    root = await sign_in("root")
    assert "Edit, and deliver" not in (await root.get("/deliveries/d-0")).text


BOT = """
import pytest
from gidgetlab.routing import Router

router = Router()

@router.register("Issue Hook")
async def label(event, gl):
    if event.data["object_attributes"]["title"] == "bad":
        raise ValueError("no moon")

@pytest.fixture
def hookyard_router():
    return router
"""


@pytest.mark.parametrize(("title", "passes"), [("good", True), ("bad", True), ("mended", False)])
async def test_an_exported_case_passes_or_fails_as_the_delivery_did(console, ledger, tmp_path, title, passes):
    """What was recorded as failed is asserted as failed; once the bot is mended the case says so."""
    data = {
        "object_kind": "issue",
        "user": {"email": "ann@example.com"},
        "object_attributes": {"title": "good" if title == "mended" else title},
    }
    await ledger.accept(a_delivery("d-1", event="Issue Hook", data=data))
    (record,) = (await ledger.claim(worker="w", limit=1)).records
    await ledger.settle(a_settlement(record, failed=title != "good", handler="conftest:label"))
    async with console.with_token("viewer") as client:
        answer = await client.get("/api/v1/deliveries/d-1/case")
    assert answer.headers["content-disposition"] == 'attachment; filename="test_d_1.py"'
    assert "ann@example.com" not in answer.text
    (tmp_path / "conftest.py").write_text(BOT)
    (tmp_path / "test_d_1.py").write_text(answer.text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
    ]
    run = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert (run.returncode == 0) is passes, run.stdout
