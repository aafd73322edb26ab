"""Who a client is, what the instance is, and which projects it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


async def test_the_token_belongs_to_the_bot(web: httpx.AsyncClient) -> None:
    """What a bot asks at its start."""
    user = (await web.get("/api/v4/user")).json()
    assert (user["username"], user["bot"]) == ("garden-bot", True)
    token = (await web.get("/api/v4/personal_access_tokens/self")).json()
    assert (token["user_id"], token["active"], token["scopes"]) == (user["id"], True, ["api"])


async def test_users_are_found_by_name(web: httpx.AsyncClient) -> None:
    """`username` is the whole name, `search` a part of it."""
    assert [user["id"] for user in (await web.get("/api/v4/users?username=Basil")).json()] == [2]
    assert [user["id"] for user in (await web.get("/api/v4/users?search=okaf")).json()] == [1]
    assert (await web.get("/api/v4/users/2")).json()["name"] == "Basil Lindqvist"
    assert (await web.get("/api/v4/users/77")).json() == {"message": "404 User Not Found"}


async def test_projects_are_listed_and_found(web: httpx.AsyncClient) -> None:
    """By number, by path, by a part of the name."""
    project = (await web.get("/api/v4/projects/greenhouse%2Fwatering-can")).json()
    assert (project["id"], project["default_branch"], project["visibility"]) == (1, "main", "public")
    assert project["web_url"] == "http://gitlab.test/greenhouse/watering-can"
    assert [one["id"] for one in (await web.get("/api/v4/projects?search=watering")).json()] == [1]
    assert (await web.get("/api/v4/projects?search=none")).json() == []


async def test_it_says_which_gitlab_it_plays(web: httpx.AsyncClient) -> None:
    """Clients look at the version before they use newer features."""
    assert (await web.get("/api/v4/version")).json()["version"] == "19.1.0"
