"""Who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

PROJECT = "/api/v4/projects/1"
FORBIDDEN = {"message": "403 Forbidden"}
NOT_FOUND = {"message": "404 Project Not Found"}


async def register(web: httpx.AsyncClient, token: str, user: str, **more: Any) -> dict[str, str]:
    """Register a token; the headers that carry it."""
    answer = await web.post("/-/tokens", json={"token": token, "user": user, **more})
    assert answer.status_code == 201, answer.text
    return {"PRIVATE-TOKEN": token}


async def test_once_a_token_is_registered_no_other_is_taken(web: httpx.AsyncClient) -> None:
    """It speaks for its account; taking all back opens the emulator again."""
    basil = await register(web, "glpat-b", "basil", scopes=["read_api"])
    assert (await web.get("/api/v4/user", headers=basil)).json()["username"] == "basil"
    own = (await web.get("/api/v4/personal_access_tokens/self", headers=basil)).json()
    assert (own["user_id"], own["scopes"]) == (2, ["read_api"])
    for headers in ({}, {"PRIVATE-TOKEN": "glpat-x"}):
        answer = await web.get("/api/v4/user", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"message": "401 Unauthorized"})
    for query in ("private_token=glpat-b", "access_token=glpat-b"):
        assert (await web.get(f"/api/v4/user?{query}")).json()["id"] == 2
    assert (await web.delete("/-/tokens")).status_code == 204
    assert (await web.get("/api/v4/user")).json()["username"] == "garden-bot"


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"expires_at": "2026-11-20"}, "Token is expired."),
        ({"revoked": True}, "Token was revoked."),
    ],
)
async def test_a_token_that_has_ended_says_how(
    web: httpx.AsyncClient, order: dict[str, Any], why: str
) -> None:
    """With the words of OAuth 2, which clients read."""
    answer = await web.get("/api/v4/user", headers=await register(web, "glpat-b", "basil", **order))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_token"
    assert answer.json()["error_description"].startswith(why)


@pytest.mark.parametrize(
    ("scopes", "method", "path", "needed"),
    [
        (["read_api"], "POST", f"{PROJECT}/issues", "api"),
        (["read_user"], "GET", PROJECT, "api read_api"),
        (["read_repository"], "GET", "/api/v4/user", "api read_api read_user"),
        (["read_user"], "GET", "/api/v4/user", None),
        (["read_repository"], "GET", f"{PROJECT}/repository/tree", None),
        (["read_api"], "GET", f"{PROJECT}/issues", None),
        (["read_user", "api"], "POST", f"{PROJECT}/issues", None),
        (["read_user"], "GET", "/api/v4/personal_access_tokens/self", None),
    ],
)
async def test_a_scope_that_does_not_suffice_is_said_with_those_that_would(
    web: httpx.AsyncClient, scopes: list[str], method: str, path: str, needed: str | None
) -> None:
    """GitLab's 403 for tokens, which is not that for accounts."""
    headers = await register(web, "glpat-b", "basil", scopes=scopes)
    answer = await web.request(method, path, json={"title": "x"}, headers=headers)
    if needed is None:
        assert answer.is_success
    else:
        assert answer.status_code == 403
        assert (answer.json()["error"], answer.json()["scope"]) == ("insufficient_scope", needed)


@pytest.mark.parametrize(
    ("level", "method", "path", "body", "status"),
    [
        (10, "POST", "/issues", {"title": "x"}, 201),
        (10, "PUT", "/issues/1", {"title": "x"}, 403),
        (15, "PUT", "/issues/1", {"title": "x"}, 200),
        (10, "POST", "/labels", {"name": "x", "color": "#fff"}, 403),
        (20, "POST", "/labels", {"name": "x", "color": "#fff"}, 201),
        (20, "POST", "/merge_requests", {"title": "x", "source_branch": "a", "target_branch": "b"}, 403),
        (30, "POST", "/merge_requests", {"title": "x", "source_branch": "a", "target_branch": "b"}, 201),
        (20, "POST", "/statuses/main", {"state": "success"}, 403),
        (30, "POST", "/statuses/main", {"state": "success"}, 201),
        (20, "POST", "/merge_requests/1/approve", {}, 401),
        (30, "POST", "/merge_requests/1/approve", {}, 201),
        (30, "PUT", "/merge_requests/1/merge", {}, 401),
        (40, "PUT", "/merge_requests/1/merge", {}, 200),
        (30, "POST", "/members", {"user_id": 3, "access_level": 10}, 403),
        (40, "POST", "/members", {"user_id": 3, "access_level": 10}, 201),
        (40, "POST", "/members", {"user_id": 3, "access_level": 50}, 403),
        (40, "DELETE", "/issues/1", None, 403),
        (50, "DELETE", "/issues/1", None, 204),
        (30, "PUT", "", {"name": "x"}, 403),
        (40, "DELETE", "", None, 403),
        (50, "DELETE", "", None, 202),
        (30, "POST", "/pipeline", {"ref": "main"}, 201),
        (20, "POST", "/pipeline", {"ref": "main"}, 403),
        (20, "PUT", "/issues/1/notes/11", {"body": "x"}, 403),
        (40, "DELETE", "/issues/1/notes/11", None, 204),
    ],
)
async def test_each_act_needs_its_access_level(
    web: httpx.AsyncClient, level: int, method: str, path: str, body: object, status: int
) -> None:
    """403, but 401 where GitLab has that."""
    headers = await register(web, "glpat-v", "visitor", project="1", access_level=level)
    answer = await web.request(method, f"{PROJECT}{path}", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json() == FORBIDDEN


async def test_what_is_private_does_not_exist_for_others(web: httpx.AsyncClient) -> None:
    """Neither by number nor in lists; members see it, guests without its code."""
    await web.put(PROJECT, json={"visibility": "private"})
    stranger = await register(web, "glpat-s", "stranger")
    guest = await register(web, "glpat-g", "guest", project="greenhouse/watering-can", access_level=10)
    for path in ("", "/issues/1", "/repository/tree", "/hooks"):
        answer = await web.get(f"{PROJECT}{path}", headers=stranger)
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert (await web.get("/api/v4/projects", headers=stranger)).json() == []
    assert (await web.get("/api/v4/issues?scope=all", headers=stranger)).json() == []
    assert (await web.get(PROJECT, headers=guest)).json()["permissions"]["project_access"] == {
        "access_level": 10,
        "notification_level": 3,
    }
    code = await web.get(f"{PROJECT}/repository/tree", headers=guest)
    assert (code.status_code, code.json()) == (403, FORBIDDEN)


async def test_confidential_issues_and_internal_notes_are_for_members(web: httpx.AsyncClient) -> None:
    """And for who wrote them."""
    await web.post(f"{PROJECT}/issues", json={"title": "Key", "confidential": True})
    await web.post(f"{PROJECT}/issues/1/notes", json={"body": "psst", "internal": True})
    guest = await register(web, "glpat-g", "guest", project="1", access_level=10)
    assert (await web.get(f"{PROJECT}/issues/2", headers=guest)).status_code == 404
    assert [one["iid"] for one in (await web.get(f"{PROJECT}/issues", headers=guest)).json()] == [1]
    assert len((await web.get(f"{PROJECT}/issues/1/notes", headers=guest)).json()) == 1
    own = {"title": "Mine", "confidential": True}
    iid = (await web.post(f"{PROJECT}/issues", json=own, headers=guest)).json()["iid"]
    assert (await web.get(f"{PROJECT}/issues/{iid}", headers=guest)).status_code == 200


async def test_sudo_acts_in_somebody_elses_name(web: httpx.AsyncClient) -> None:
    """By header or parameter, name or number: how a test has a person open an issue."""
    issue = await web.post(f"{PROJECT}/issues", json={"title": "Leak"}, headers={"Sudo": "basil"})
    assert issue.json()["author"]["username"] == "basil"
    assert (await web.get("/api/v4/user?sudo=1")).json()["username"] == "fern"
    unknown = await web.get("/api/v4/user", headers={"Sudo": "nobody"})
    assert unknown.json() == {"message": "404 User with ID or username 'nobody' Not Found"}


async def test_only_administrators_use_sudo_and_only_with_its_scope(web: httpx.AsyncClient) -> None:
    """GitLab says which of the two is missing."""
    basil = await register(web, "glpat-b", "basil", scopes=["api", "sudo"])
    fern = await register(web, "glpat-f", "fern")
    refused = await web.get("/api/v4/user?sudo=3", headers=basil)
    assert refused.json() == {"message": "403 Forbidden - Must be admin to use sudo"}
    assert (await web.get("/api/v4/user?sudo=3", headers=fern)).json()["scope"] == "sudo"
    fern = await register(web, "glpat-f2", "fern", scopes=["api", "sudo"])
    assert (await web.get("/api/v4/user?sudo=3", headers=fern)).json()["username"] == "garden-bot"


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ([], "JSON object"),
        ({"token": "x"}, "user"),
        ({"user": "fern"}, "token"),
        ({"token": " ", "user": "fern"}, "token"),
        ({"token": "x", "user": "fern", "scope": "api"}, "'scope'"),
        ({"token": "x", "user": "fern", "scopes": ["root"]}, "scopes"),
        ({"token": "x", "user": "fern", "scopes": []}, "scopes"),
        ({"token": "x", "user": "fern", "scopes": [[]]}, "scopes"),
        ({"token": "x", "user": "fern", "revoked": "no"}, "revoked"),
        ({"token": "x", "user": "fern", "expires_at": "soon"}, "expires_at"),
        ({"token": "x", "user": "fern", "access_level": 30}, "access_level"),
        ({"token": "x", "user": "fern", "project": "1"}, "access_level"),
        ({"token": "x", "user": "fern", "project": "1", "access_level": 31}, "access_level"),
        ({"token": "x", "user": "fern", "project": "no/where", "access_level": 30}, "'no/where'"),
    ],
)
async def test_a_token_that_makes_no_sense_names_the_field(
    web: httpx.AsyncClient, order: object, field: str
) -> None:
    """And is not registered."""
    answer = await web.post("/-/tokens", json=order)
    assert answer.status_code == 400
    assert field in answer.json()["error"]
    assert (await web.get("/-/tokens")).json() == []


async def test_registered_tokens_are_listed_without_their_values(web: httpx.AsyncClient) -> None:
    """Nor do they stand in the state."""
    await register(web, "glpat-very-secret", "basil", name="watering")
    answer = await web.get("/-/tokens")
    assert [(one["user"], one["name"]) for one in answer.json()] == [("basil", "watering")]
    assert "very-secret" not in answer.text
