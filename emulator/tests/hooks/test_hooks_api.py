"""Webhooks through GitLab's API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from gitlab_emulator.app import create_app
from gitlab_emulator.hooks.request import VERSIONS
from receiving import SIGNING_TOKEN

if TYPE_CHECKING:
    import httpx
    from receiving import Receiver
    from starlette.applications import Starlette

PROJECT, GROUP, SYSTEM = "/api/v4/projects/1/hooks", "/api/v4/groups/5/hooks", "/api/v4/hooks"
URL = "http://127.0.0.1:9/hook"


async def made(web: httpx.AsyncClient, path: str = PROJECT, **attributes: Any) -> dict[str, Any]:
    answer = await web.post(path, json={"url": URL, **attributes})
    assert answer.status_code == 201, answer.text
    hook: dict[str, Any] = answer.json()
    return hook


async def settled(app: Starlette) -> None:
    async with asyncio.timeout(60):
        await app.state.hooks.settled()


async def test_a_hook_is_made_listed_edited_and_deleted(web: httpx.AsyncClient) -> None:
    hook = await made(web, name="Bot", issues_events=True, push_events="false", token="hush")
    path = f"{PROJECT}/{hook['id']}"
    assert {name: hook[name] for name in ("url", "name", "project_id", "issues_events", "push_events")} == {
        "url": URL,
        "name": "Bot",
        "project_id": 1,
        "issues_events": True,
        "push_events": False,
    }
    assert (hook["alert_status"], hook["disabled_until"]) == ("executable", None)
    assert (await web.get(path)).json() == hook
    listed = await web.get("/api/v4/projects/greenhouse%2Fwatering-can/hooks")
    assert [one["id"] for one in listed.json()] == [hook["id"]]
    assert listed.headers["X-Total"] == "1"
    edited = await web.put(path, json={"note_events": True})
    assert {**hook, "note_events": True} == edited.json()
    assert (await web.delete(path)).status_code == 204
    gone = await web.get(path)
    assert (gone.status_code, gone.json()) == (404, {"message": "404 Not found"})


@pytest.mark.parametrize(
    ("path", "place", "on"),
    [
        (PROJECT, {"project_id": 1}, ["push_events"]),
        (GROUP, {"group_id": 5}, ["push_events"]),
        (SYSTEM, {"organization_id": 1}, ["repository_update_events"]),
    ],
)
async def test_projects_groups_and_the_instance_have_hooks(
    web: httpx.AsyncClient, path: str, place: dict[str, int], on: list[str]
) -> None:
    hook = await made(web, path)
    assert place.items() <= hook.items()
    assert [name for name, value in hook.items() if name.endswith("_events") and value] == on
    assert [one["id"] for one in (await web.get(path)).json()] == [hook["id"]]
    for other in {PROJECT, GROUP, SYSTEM} - {path}:
        assert (await web.get(other)).json() == []
        assert (await web.get(f"{other}/{hook['id']}")).status_code == 404


async def test_secrets_go_in_and_never_come_out(web: httpx.AsyncClient) -> None:
    hook = await made(
        web,
        token="hush-1",
        signing_token=SIGNING_TOKEN,
        custom_headers=[{"key": "X-A", "value": "hush-2"}],
        url_variables=[{"key": "part", "value": "hush-3"}],
        url="http://127.0.0.1:9/{part}",
    )
    assert (hook["token_present"], hook["signing_token_present"]) == (True, True)
    assert (hook["custom_headers"], hook["url_variables"]) == ([{"key": "X-A"}], [{"key": "part"}])
    await web.put(f"{PROJECT}/{hook['id']}/custom_headers/X-B", json={"value": "hush-4"})
    shown = [
        await web.get(path) for path in (PROJECT, f"{PROJECT}/{hook['id']}", "/-/calls", "/", "/admin/calls")
    ]
    for answer in shown:
        assert "hush" not in answer.text
        assert SIGNING_TOKEN not in answer.text


async def test_a_gitlab_before_19_knows_no_signing_tokens() -> None:
    import httpx

    older = create_app(version=VERSIONS["18"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=older), base_url="http://gitlab.test"
    ) as web:
        hook = await made(web, signing_token="whatever", token="hush")
    assert not {"signing_token_present", "token_present"} & hook.keys()
    assert older.state.gitlab.hooks[hook["id"]].signing_token is None


@pytest.mark.parametrize(
    ("attributes", "status", "body"),
    [
        ({"url": None}, 422, {"error": "Invalid url given"}),
        ({"url": "nowhere"}, 422, {"error": "Invalid url given"}),
        ({"push_events_branch_filter": "~no~"}, 422, {"error": "Invalid branch filter given"}),
        (
            {"branch_filter_strategy": "x"},
            400,
            {"error": "branch_filter_strategy does not have a valid value"},
        ),
        ({"issues_events": "perhaps"}, 400, {"error": "issues_events is invalid"}),
        ({"url": {"a": 1}}, 400, {"error": "url is invalid"}),
        ({"custom_headers": "X"}, 400, {"error": "custom_headers is invalid"}),
        ({"custom_headers": [{"key": "X"}]}, 400, {"error": "custom_headers[0][value] is missing"}),
        (
            {"custom_headers": [{"key": f"X-{n}a", "value": "v"} for n in range(21)]},
            422,
            {"error": "Custom headers must be a valid json schema"},
        ),
        (
            {"signing_token": "whsec_c2hvcnQ="},
            422,
            {"error": "Signing token must be in whsec_<base64> format encoding a 32-byte key"},
        ),
    ],
)
async def test_what_makes_no_hook_is_refused(
    web: httpx.AsyncClient, attributes: dict[str, Any], status: int, body: dict[str, Any]
) -> None:
    answer = await web.post(PROJECT, json={"url": URL, **attributes})
    assert (answer.status_code, answer.json()) == (status, body)
    assert (await web.get(PROJECT)).json() == []


async def test_a_hook_needs_an_address_and_an_edit_needs_something(web: httpx.AsyncClient) -> None:
    answer = await web.post(PROJECT, json={})
    assert (answer.status_code, answer.json()) == (400, {"error": "url is missing"})
    hook = await made(web)
    answer = await web.put(f"{PROJECT}/{hook['id']}", json={})
    assert (answer.status_code, answer.json()) == (400, {"error": "No parameters provided"})
    answer = await web.put(f"{PROJECT}/{hook['id']}", json={"token": "a\nb"})
    assert (answer.status_code, answer.json()) == (422, {"message": {"token": ["is invalid"]}})


async def test_the_hundred_and_first_hook_is_one_too_many(web: httpx.AsyncClient) -> None:
    for _ in range(100):
        await made(web)
    answer = await web.post(PROJECT, json={"url": URL})
    assert (answer.status_code, answer.json()) == (
        422,
        {"error": "Maximum number of project hooks (100) exceeded"},
    )


async def test_another_address_resets_the_secret_token(web: httpx.AsyncClient) -> None:
    hook = await made(web, token="hush", custom_headers=[{"key": "X-A", "value": "v"}])
    edited = (await web.put(f"{PROJECT}/{hook['id']}", json={"url": f"{URL}/elsewhere"})).json()
    assert (edited["token_present"], edited["custom_headers"]) == (False, [])


async def test_headers_and_variables_are_set_and_deleted_one_by_one(web: httpx.AsyncClient) -> None:
    hook = await made(web)
    path = f"{PROJECT}/{hook['id']}"
    for pairs, name in (("custom_headers", "Custom header"), ("url_variables", "URL variable")):
        assert (await web.put(f"{path}/{pairs}/one", json={"value": "v"})).status_code == 204
        assert (await web.get(path)).json()[pairs] == [{"key": "one"}]
        assert (await web.delete(f"{path}/{pairs}/one")).status_code == 204
        gone = await web.delete(f"{path}/{pairs}/one")
        assert (gone.status_code, gone.json()) == (404, {"message": f"404 {name} Not Found"})
        bad = await web.put(f"{path}/{pairs}/{'1' * 3}", json={"value": "v"})
        assert (bad.status_code, bad.json()) == (422, {"error": "Illegal key or value"})


async def test_an_issue_opened_through_the_api_arrives_signed(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver
) -> None:
    await made(web, url=receiver.url, issues_events=True, signing_token=SIGNING_TOKEN)
    await web.post("/api/v4/projects/1/issues", json={"title": "Dry again"})
    await settled(app)
    (one,) = receiver.received
    assert one.is_signed()
    assert (one.headers["x-gitlab-event"], one.headers["x-gitlab-instance"]) == (
        "Issue Hook",
        "http://gitlab.test",
    )
    assert one.data["object_attributes"]["title"] == "Dry again"


async def test_a_bot_that_passes_the_event_uuid_on_is_not_called_for_its_own_doing(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver
) -> None:
    await made(web, url=receiver.url, issues_events=True, note_events=True)
    await web.post("/api/v4/projects/1/issues", json={"title": "Dry again"})
    await settled(app)
    uuid = receiver.received[0].headers["x-gitlab-event-uuid"]
    notes = "/api/v4/projects/1/issues/1/notes"
    await web.post(notes, json={"body": "On it"}, headers={"X-Gitlab-Event-UUID": uuid})
    await settled(app)
    assert len(receiver.received) == 1
    await web.post(notes, json={"body": "On it"})
    await settled(app)
    assert len(receiver.received) == 2


async def test_events_are_listed_narrowed_and_paged(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver
) -> None:
    hook = await made(web, url=receiver.url, issues_events=True, token="hush")
    path = f"{PROJECT}/{hook['id']}/events"
    for status in (200, 202, 404, 500):
        receiver.status = status
        await web.post("/api/v4/projects/1/issues", json={"title": f"Answered {status}"})
        await settled(app)
    events = (await web.get(path)).json()
    assert [event["response_status"] for event in events] == ["500", "404", "202", "200"]
    assert events[0].keys() == {
        *("id", "url", "trigger", "request_headers", "request_data", "response_headers"),
        *("response_body", "created_at", "execution_duration", "response_status"),
    }
    assert events[0]["trigger"] == "issue_hooks"
    assert events[0]["request_headers"]["X-Gitlab-Token"] == "[REDACTED]"
    assert events[0]["request_data"]["object_attributes"]["title"] == "Answered 500"

    async def found(**query: object) -> list[str]:
        answer = await web.get(path, params=query)  # type: ignore[arg-type]
        return [event["response_status"] for event in answer.json()]

    assert await found(status="successful") == ["202", "200"]
    assert await found(status="client_failure") == ["404"]
    assert await found(status="server_failure") == ["500"]
    assert await found(status="202,404") == ["404", "202"]
    assert await found(per_page=3, page=2) == ["200"]
    for query, text in (("status=odd", "status"), ("per_page=21", "per_page"), ("status=999", "status")):
        answer = await web.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()) == (400, {"error": f"{text} does not have a valid value"})


async def test_a_delivery_is_resent_five_times_a_minute(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver
) -> None:
    hook = await made(web, url=receiver.url, issues_events=True, signing_token=SIGNING_TOKEN)
    await web.post("/api/v4/projects/1/issues", json={"title": "Dry again"})
    await settled(app)
    event = (await web.get(f"{PROJECT}/{hook['id']}/events")).json()[0]
    path = f"{PROJECT}/{hook['id']}/events/{event['id']}/resend"
    receiver.status = 202
    for _ in range(5):
        answer = await web.post(path)
        assert (answer.status_code, answer.json()) == (201, {"response_status": 202})
    refused = await web.post(path)
    assert refused.status_code == 429
    assert refused.json() == {
        "message": {"error": "This endpoint has been requested too many times. Try again later."}
    }
    await web.post("/-/clock", json={"forward_s": int(refused.headers["Retry-After"])})
    assert (await web.post(path)).status_code == 201
    assert {one.headers["webhook-id"] for one in receiver.received} == {
        event["request_headers"]["webhook-id"]
    }
    assert all(one.is_signed() for one in receiver.received)


async def test_what_cannot_be_resent_is_said(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver
) -> None:
    hook = await made(web, url=receiver.url, issues_events=True)
    await web.post("/api/v4/projects/1/issues", json={"title": "Dry again"})
    await settled(app)
    events = f"{PROJECT}/{hook['id']}/events"
    event = (await web.get(events)).json()[0]
    assert (await web.post(f"{events}/9999/resend")).status_code == 404
    await web.put(f"{PROJECT}/{hook['id']}", json={"url": f"{receiver.url}elsewhere"})
    answer = await web.post(f"{events}/{event['id']}/resend")
    assert (answer.status_code, answer.json()) == (
        422,
        {"message": "The hook URL has changed, and this log entry cannot be retried"},
    )


@pytest.mark.parametrize(
    ("trigger", "header", "kind"),
    [
        ("push_events", "Push Hook", "push"),
        ("tag_push_events", "Tag Push Hook", "tag_push"),
        ("issues_events", "Issue Hook", "issue"),
        ("confidential_issues_events", "Confidential Issue Hook", "issue"),
        ("note_events", "Note Hook", "note"),
        ("merge_requests_events", "Merge Request Hook", "merge_request"),
        ("job_events", "Job Hook", "build"),
        ("pipeline_events", "Pipeline Hook", "pipeline"),
        ("wiki_page_events", "Wiki Page Hook", "wiki_page"),
        ("releases_events", "Release Hook", "release"),
        ("milestone_events", "Milestone Hook", "milestone"),
        ("emoji_events", "Emoji Hook", "emoji"),
        ("resource_access_token_events", "Resource Access Token Hook", "access_token"),
        ("resource_deploy_token_events", "Resource Deploy Token Hook", "deploy_token"),
    ],
)
async def test_every_trigger_that_gitlab_offers_can_be_tested(
    web: httpx.AsyncClient, receiver: Receiver, trigger: str, header: str, kind: str
) -> None:
    hook = await made(web, url=receiver.url, signing_token=SIGNING_TOKEN)
    answer = await web.post(f"{PROJECT}/{hook['id']}/test/{trigger}")
    assert (answer.status_code, answer.json()) == (201, {"message": "201 Created"})
    (one,) = receiver.received
    assert one.is_signed()
    assert (one.headers["x-gitlab-event"], one.data["object_kind"]) == (header, kind)


async def test_a_test_that_fails_says_why(
    web: httpx.AsyncClient, receiver: Receiver, unused_tcp_port: int
) -> None:
    hook = await made(web, url=receiver.url)
    receiver.status, receiver.text = 500, "the tank is empty"
    answer = await web.post(f"{PROJECT}/{hook['id']}/test/push_events")
    assert (answer.status_code, answer.json()) == (422, {"message": "the tank is empty"})
    away = await made(web, url=f"http://127.0.0.1:{unused_tcp_port}/")
    answer = await web.post(f"{PROJECT}/{away['id']}/test/push_events")
    assert answer.status_code == 422
    assert "Failed to open TCP connection" in answer.json()["message"]
    unknown = await web.post(f"{PROJECT}/{hook['id']}/test/deployment_events")
    assert (unknown.status_code, unknown.json()) == (400, {"error": "trigger does not have a valid value"})


async def test_a_project_with_nothing_in_it_cannot_show_a_sample(
    web: httpx.AsyncClient, receiver: Receiver
) -> None:
    project = (await web.post("/api/v4/projects", json={"name": "Empty bed"})).json()
    path = f"/api/v4/projects/{project['id']}/hooks"
    hook = await made(web, path, url=receiver.url)
    for trigger, what in (("issues", "issues"), ("note", "notes"), ("pipeline", "CI pipelines")):
        answer = await web.post(f"{path}/{hook['id']}/test/{trigger}_events")
        assert (answer.status_code, answer.json()) == (422, {"message": f"Ensure the project has {what}."})
    assert (await web.post(f"{path}/{hook['id']}/test/push_events")).status_code == 201
    assert receiver.received[0].data["project"]["id"] == project["id"]


async def test_a_test_brings_a_disabled_hook_back(
    web: httpx.AsyncClient, app: Starlette, receiver: Receiver
) -> None:
    hook = await made(web, url=receiver.url, issues_events=True)
    path = f"{PROJECT}/{hook['id']}"
    receiver.status = 500
    for number in range(6):
        await web.post("/api/v4/projects/1/issues", json={"title": f"Issue {number}"})
        await settled(app)
    disabled = (await web.get(path)).json()
    assert len(receiver.received) == 4
    assert disabled["alert_status"] == "temporarily_disabled"
    assert disabled["disabled_until"] == "2026-11-20T12:31:15.250Z"
    receiver.status = 200
    assert (await web.post(f"{path}/test/push_events")).status_code == 201
    back = (await web.get(path)).json()
    assert (back["alert_status"], back["disabled_until"]) == ("executable", None)


async def test_a_system_hook_is_tested_with_a_project_that_is_none(
    web: httpx.AsyncClient, receiver: Receiver
) -> None:
    hook = await made(web, SYSTEM, url=receiver.url)
    receiver.status = 500
    answer = await web.post(f"{SYSTEM}/{hook['id']}")
    assert (answer.status_code, answer.json()["event_name"]) == (201, "project_create")
    assert receiver.received[0].headers["x-gitlab-event"] == "System Hook"


async def test_only_who_may_touch_hooks_does(web: httpx.AsyncClient) -> None:
    for user, scope in (("basil", "api"), ("fern", "api")):
        order = {"token": f"{user}-token", "user": user, "scopes": [scope]}
        answer = await web.post("/-/tokens", json=order)
        assert answer.status_code == 201, answer.text
    for path in (PROJECT, GROUP, SYSTEM):
        for user, status in (("basil", 403), ("fern", 201)):
            headers = {"PRIVATE-TOKEN": f"{user}-token"}
            answer = await web.post(path, json={"url": URL}, headers=headers)
            assert (user, path, answer.status_code) == (user, path, status)
