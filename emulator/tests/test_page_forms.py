"""What people do from the pages."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.samples.catalogue import SAMPLES
from receiving import SIGNING_TOKEN

if TYPE_CHECKING:
    import httpx
    from receiving import Receiver
    from starlette.applications import Starlette

EVIL = "<script>alert('x')</script>\"'&"
ADD = {"place": "project:1", "switch": "all"}


async def added(web: httpx.AsyncClient, url: str, **fields: str) -> str:
    """The path of a new hook's page."""
    answer = await web.post("/admin/hooks", data={**ADD, "url": url, **fields})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


async def settled(app: Starlette) -> None:
    async with asyncio.timeout(60):
        await app.state.hooks.settled()


async def test_a_hook_is_added_shown_and_deleted(web: httpx.AsyncClient, app: Starlette) -> None:
    path = await added(
        web, "http://bot:hunter2@127.0.0.1:9/in", name="Bot", token="hush", signing_token=SIGNING_TOKEN
    )
    for page in (
        await web.get(path),
        await web.get("/admin/hooks"),
        await web.get("/greenhouse/watering-can"),
    ):
        assert page.status_code == 200
        assert "http://*****:*****@127.0.0.1:9/in" in page.text
        assert "executable" in page.text
        assert not re.search(f"hush|hunter2|{re.escape(SIGNING_TOKEN)}", page.text)
    (hook,) = app.state.gitlab.hooks.values()
    assert (hook.token, hook.signing_token, len(hook.switches)) == ("hush", SIGNING_TOKEN, 18)
    answer = await web.post(f"{path}/delete")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/hooks")
    assert (await web.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"url": "nowhere"}, "Invalid url given."),
        ({"url": "http://127.0.0.1:9/", "signing_token": "x"}, "Signing token must be in"),
        ({"url": "http://127.0.0.1:9/", "place": "project:99"}, "Choose whose webhook it is to be."),
        ({"url": "http://127.0.0.1:9/", "place": ""}, "Choose whose webhook it is to be."),
    ],
)
async def test_what_makes_no_hook_is_said(
    web: httpx.AsyncClient, app: Starlette, fields: dict[str, str], text: str
) -> None:
    answer = await web.post("/admin/hooks", data={**ADD, **fields})
    assert (answer.status_code, text in answer.text) == (400, True)
    assert not app.state.gitlab.hooks


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://gitlab.test"}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "http://gitlab.test.evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://gitlab.test"}, 303),
        ({}, 303),
    ],
)
async def test_a_form_from_another_site_does_nothing(
    web: httpx.AsyncClient, app: Starlette, headers: dict[str, str], status: int
) -> None:
    answer = await web.post("/admin/hooks", data={**ADD, "url": "http://127.0.0.1:9/"}, headers=headers)
    assert (answer.status_code, len(app.state.gitlab.hooks)) == (status, int(status == 303))


@pytest.mark.parametrize(
    "path", ["/admin/calls/clear", "/admin/faults", "/admin/faults/clear", "/admin/clock", "/admin/send"]
)
async def test_no_form_at_all_is_taken_from_another_site(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.post(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


async def test_a_hook_is_tested_and_the_delivery_sent_again(
    web: httpx.AsyncClient, receiver: Receiver
) -> None:
    path = await added(web, receiver.url, signing_token=SIGNING_TOKEN)
    receiver.text = "thanks"
    tested = await web.post(f"{path}/test", data={"trigger": "merge_requests"})
    shown = await web.get(tested.headers["Location"])
    assert "Merge Request Hook" in shown.text
    assert "thanks" in shown.text
    assert "&#34;object_kind&#34;: &#34;merge_request&#34;" in shown.text
    again = await web.post(f"{tested.headers['Location']}/resend")
    assert again.status_code == 303
    assert again.headers["Location"] != tested.headers["Location"]
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.is_signed()
    assert second.is_signed()
    assert (await web.get(path)).text.count("Merge Request Hook") == 2


async def test_a_hook_that_fails_is_shown_disabled_until_the_clock_is_moved(
    web: httpx.AsyncClient, receiver: Receiver
) -> None:
    path = await added(web, receiver.url)
    receiver.status = 500
    for _ in range(4):
        await web.post(f"{path}/test", data={"trigger": "push"})
    page = (await web.get(path)).text
    assert "disabled until 20 Nov 2026, 12:31:15 UTC" in page
    assert "4 failures in a row" in page
    event = re.findall(rf"{path}/events/\d+", page)[0]
    refused = await web.post(f"{event}/resend")
    assert (refused.status_code, "Nothing was sent: Hook disabled." in refused.text) == (400, True)
    for _ in range(2):
        moved = await web.post("/admin/clock", data={"forward_s": "60", "back": path})
        assert moved.headers["Location"] == path
    assert ">executable<" in (await web.get(path)).text


@pytest.mark.parametrize("back", ["//evil.test", "http://evil.test/", "/admin/hooks/1/../..", ""])
async def test_the_clock_leads_back_to_pages_of_ours_only(web: httpx.AsyncClient, back: str) -> None:
    moved = await web.post("/admin/clock", data={"forward_s": "60", "back": back})
    assert (moved.status_code, moved.headers["Location"]) == (303, "/admin/hooks")


async def test_any_sample_goes_to_a_chosen_hook(web: httpx.AsyncClient, receiver: Receiver) -> None:
    path = await added(web, receiver.url, signing_token=SIGNING_TOKEN)
    for kind, sample in SAMPLES.items():
        answer = await web.post(
            "/admin/send", data={"kind": kind, "project": "1", "target": path.rpartition("/")[2]}
        )
        assert answer.status_code == 303, (kind, answer.text)
        one = receiver.received.pop()
        assert not receiver.received, kind
        assert one.headers["x-gitlab-event"] == sample.event
        assert one.is_signed()
        assert (await web.get(answer.headers["Location"])).status_code == 200, kind


async def test_an_event_goes_to_the_hooks_that_want_it(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver
) -> None:
    for switch in ("issues", "note", "all"):
        await added(web, receiver.url, switch=switch)
    answer = await web.post(
        "/admin/send",
        data={
            "kind": "issue-open",
            "project": "1",
            "target": "hooks",
            "amendments": "object_attributes.title=Ümlaut\r\n\r\nlabels=[]\r\n",
        },
    )
    await settled(app)
    assert "Sent to 2 webhooks." in (await web.get(answer.headers["Location"])).text
    assert [one.data["object_attributes"]["title"] for one in receiver.received] == ["Ümlaut"] * 2
    assert receiver.received[0].data["labels"] == []


@pytest.mark.parametrize(
    ("kind", "place"),
    [("member-add", "group:5"), ("system-project-create", "system"), ("push", "group:5"), ("push", "system")],
)
async def test_events_of_groups_and_of_the_instance_find_their_hooks(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver, kind: str, place: str
) -> None:
    await added(web, receiver.url, place=place)
    await web.post("/admin/send", data={"kind": kind, "project": "1", "target": "hooks"})
    await settled(app)
    (one,) = receiver.received
    assert one.headers["x-gitlab-event"] == ("System Hook" if place == "system" else SAMPLES[kind].event)


async def test_an_event_goes_to_any_address(
    web: httpx.AsyncClient, receiver: Receiver, unused_tcp_port: int
) -> None:
    form = {"kind": "push", "project": "1", "target": "url", "signing_token": SIGNING_TOKEN}
    receiver.status = 401
    answer = await web.post("/admin/send", data={**form, "url": receiver.url})
    assert 'class="status s4">401<' in (await web.get(answer.headers["Location"])).text
    assert receiver.received[0].is_signed()
    answer = await web.post("/admin/send", data={**form, "url": f"http://127.0.0.1:{unused_tcp_port}/"})
    assert "No answer: the connection was refused" in (await web.get(answer.headers["Location"])).text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"kind": "nothing"}, "Choose a kind of event and a project."),
        ({"project": "²"}, "Choose a kind of event and a project."),
        ({"target": "99"}, "Choose where to send it."),
        ({"target": "url", "url": "ftp://x/"}, "Give an address to send it to"),
        ({"target": "url", "url": "http://127.0.0.1:9/", "signing_token": "x"}, "a signing token is whsec_"),
        ({"amendments": "nonsense"}, "is not of the form path=value"),
    ],
)
async def test_what_cannot_be_sent_is_said(web: httpx.AsyncClient, fields: dict[str, str], text: str) -> None:
    answer = await web.post("/admin/send", data={"kind": "push", "project": "1", "target": "hooks", **fields})
    assert (answer.status_code, text in answer.text) == (400, True)


@pytest.mark.parametrize("query", ["hooks=<b>", "status=200", "status=2&ms=" + "9" * 99, "hooks=²"])
async def test_nobody_puts_words_on_the_page_by_a_link(web: httpx.AsyncClient, query: str) -> None:
    page = await web.get(f"/admin/send?{query}")
    assert (page.status_code, 'class="told"' in page.text) == (200, False)


async def test_a_fault_is_ordered_shown_and_taken_back(web: httpx.AsyncClient) -> None:
    order = {"outcome": "429", "calls": "2", "delay_s": "0", "retry_after_s": "7"}
    order |= {"method": "GET", "path": "/api/v4/user"}
    assert (await web.post("/admin/faults", data=order)).status_code == 303
    page = (await web.get("/admin/faults")).text
    assert "GET /api/v4/user" in page
    assert "Retry-After: 7" in page
    met = await web.get("/api/v4/user")
    assert (met.status_code, met.headers["Retry-After"]) == (429, "7")
    await web.post("/admin/faults/clear")
    assert (await web.get("/api/v4/user")).status_code == 200


@pytest.mark.parametrize("outcome", ["drop", "late"])
async def test_calls_can_be_late_or_dropped(web: httpx.AsyncClient, app: Starlette, outcome: str) -> None:
    await web.post("/admin/faults", data={"outcome": outcome, "delay_s": "1"})
    (fault,) = app.state.faults.as_json()
    assert (fault["drop"], fault["delay_s"]) == (outcome == "drop", 1.0)
    if outcome == "late":
        assert fault["status"] is None
    assert (await web.get("/admin/faults")).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [{"outcome": "1000"}, {"calls": "0"}, {"calls": "x"}, {"delay_s": "601"}, {"retry_after_s": "-1"}],
)
async def test_a_fault_that_makes_no_sense_is_refused(
    web: httpx.AsyncClient, app: Starlette, fields: dict[str, str]
) -> None:
    answer = await web.post("/admin/faults", data={"outcome": "500", **fields})
    assert (answer.status_code, app.state.faults.as_json()) == (400, [])


async def test_calls_are_listed_and_forgotten(web: httpx.AsyncClient) -> None:
    await web.get("/api/v4/user")
    assert "/api/v4/user" in (await web.get("/admin/calls")).text
    await web.post("/admin/calls/clear")
    assert "/api/v4/user" not in (await web.get("/admin/calls")).text


async def test_third_party_jobs_are_listed(web: httpx.AsyncClient) -> None:
    await web.post("/api/endpoint", json={"some_parameter": EVIL})
    page = (await web.get("/admin/jobs")).text
    assert "no callback URL" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page


async def test_a_group_has_a_page(web: httpx.AsyncClient) -> None:
    await added(web, "http://127.0.0.1:9/of-the-group", place="group:5")
    page = await web.get("/groups/greenhouse")
    assert page.status_code == 200
    assert "http://127.0.0.1:9/of-the-group" in page.text
    assert "greenhouse/watering-can" in page.text
    assert (await web.get("/groups/nowhere")).status_code == 404


async def test_what_receivers_and_hooks_say_is_shown_as_text(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver
) -> None:
    path = await added(web, f"{receiver.url}?{EVIL.replace(' ', '')}", name=EVIL)
    receiver.text, receiver.headers = EVIL, {"X-Evil": EVIL}
    tested = await web.post(f"{path}/test", data={"trigger": "push"})
    for place in (
        path,
        tested.headers["Location"],
        "/admin/hooks",
        "/greenhouse/watering-can",
        "/admin/send",
    ):
        page = (await web.get(place)).text
        assert "&lt;script&gt;" in page, place
        assert "<script" not in page, place
    refused = await web.post("/admin/send", data={"kind": "push", "project": "1", "amendments": EVIL})
    assert "<script" not in refused.text


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"\xff\xfe=%ff&url=%00", 400), (b"a=b&" * 500, 400), (b"url=" + b"x" * 2_000_000, 400), (b"", 400)],
)
async def test_a_form_of_any_bytes_gets_a_page(web: httpx.AsyncClient, content: bytes, status: int) -> None:
    answer = await web.post("/admin/hooks", content=content)
    assert (answer.status_code, "Not done" in answer.text) == (status, True)


@pytest.mark.parametrize(
    "path", ["/admin/hooks/99", "/admin/hooks/x", "/admin/hooks/99/events/1", "/admin/nothing"]
)
async def test_an_operators_page_that_is_not_there_says_so(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.get(path)
    assert (answer.status_code, "Nothing here" in answer.text) == (404, True)
