"""Projects and groups, their members and labels, through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette

PROJECTS, GROUPS = "/api/v4/projects", "/api/v4/groups"
LABELS = f"{PROJECTS}/1/labels"


async def test_a_project_is_made_in_ones_own_namespace_unless_a_group_is_named(
    web: httpx.AsyncClient,
) -> None:
    """Its path follows from its name, and it is private unless told otherwise."""
    own = await web.post(PROJECTS, json={"name": "Hose Pipe"})
    assert own.status_code == 201
    assert own.json()["path_with_namespace"] == "garden-bot/hose-pipe"
    assert (own.json()["visibility"], own.json()["namespace"]["kind"]) == ("private", "user")
    in_group = (await web.post(PROJECTS, json={"path": "hose", "namespace_id": 5})).json()
    assert (in_group["path_with_namespace"], in_group["name"]) == ("greenhouse/hose", "hose")
    assert (in_group["namespace"]["kind"], in_group["empty_repo"]) == ("group", True)
    listed = [one["id"] for one in (await web.get(f"{GROUPS}/greenhouse/projects")).json()]
    assert listed == [in_group["id"], 1]


async def test_a_project_can_begin_with_a_readme(web: httpx.AsyncClient) -> None:
    """On the branch that is asked for."""
    body = {"name": "Hose", "initialize_with_readme": True, "default_branch": "trunk"}
    number = (await web.post(PROJECTS, json=body)).json()["id"]
    raw = await web.get(f"{PROJECTS}/{number}/repository/files/README.md/raw?ref=trunk")
    assert raw.text == "# Hose\n"


async def test_a_project_is_edited_moved_and_deleted_with_its_hooks(
    web: httpx.AsyncClient, app: Starlette
) -> None:
    """The old path is gone with the rename, everything with the deletion."""
    await web.post(f"{PROJECTS}/1/hooks", json={"url": "http://bot.example/"})
    edited = await web.put(f"{PROJECTS}/1", json={"path": "can", "description": "Better", "archived": True})
    assert (edited.json()["path_with_namespace"], edited.json()["description"]) == (
        "greenhouse/can",
        "Better",
    )
    assert (await web.get(f"{PROJECTS}/greenhouse%2Fwatering-can")).status_code == 404
    deleted = await web.delete(f"{PROJECTS}/greenhouse%2Fcan")
    assert (deleted.status_code, deleted.json()) == (202, {"message": "202 Accepted"})
    assert (await web.get(f"{PROJECTS}/1")).status_code == 404
    assert app.state.gitlab.hooks == {}


async def test_groups_lie_in_groups_and_move_with_all_that_is_below(web: httpx.AsyncClient) -> None:
    """Full paths follow; deletion reaches down as well."""
    shed = (await web.post(GROUPS, json={"name": "Shed", "path": "shed", "parent_id": 5})).json()
    assert (shed["full_path"], shed["full_name"]) == ("greenhouse/shed", "Greenhouse / Shed")
    await web.post(PROJECTS, json={"name": "Rake", "namespace_id": shed["id"]})
    assert [one["id"] for one in (await web.get(f"{GROUPS}/5/subgroups")).json()] == [shed["id"]]
    deep = (await web.get(f"{GROUPS}/5/projects?include_subgroups=true")).json()
    assert len(deep) == 2
    await web.put(f"{GROUPS}/5", json={"path": "glasshouse"})
    assert (await web.get(f"{PROJECTS}/glasshouse%2Fshed%2Frake")).status_code == 200
    assert (await web.delete(f"{GROUPS}/glasshouse")).status_code == 202
    assert (await web.get(PROJECTS)).json() == (await web.get(GROUPS)).json() == []


async def test_a_group_lists_the_issues_and_merge_requests_below_it(web: httpx.AsyncClient) -> None:
    """Of all its projects."""
    for kind in ("issues", "merge_requests"):
        assert [one["iid"] for one in (await web.get(f"{GROUPS}/greenhouse/{kind}")).json()] == [1]


@pytest.mark.parametrize(
    ("path", "body", "status", "answer"),
    [
        (
            *(PROJECTS, {}, 400),
            {"error": "name, path are missing, at least one parameter must be provided"},
        ),
        (
            *(PROJECTS, {"path": "watering-can", "namespace_id": 5}, 400),
            {
                "message": {
                    name: ["has already been taken"] for name in ("project_namespace.name", "name", "path")
                }
            },
        ),
        (
            *(PROJECTS, {"name": "x", "namespace_id": 99}, 400),
            {"message": {"namespace": ["is not valid"]}},
        ),
        (
            *(PROJECTS, {"name": "x", "visibility": "secret"}, 400),
            {"error": "visibility does not have a valid value"},
        ),
        (PROJECTS, {"name": ""}, 400, {"message": {"name": ["can't be blank"]}}),
        (GROUPS, {"name": "x"}, 400, {"error": "path is missing"}),
        (
            *(GROUPS, {"name": "x", "path": "greenhouse"}, 400),
            {"message": 'Failed to save group {:path=>["has already been taken"]}'},
        ),
        (GROUPS, {"name": "x", "path": "x", "parent_id": 99}, 404, {"message": "404 Group Not Found"}),
        (f"{GROUPS}/99/members", {}, 404, {"message": "404 Group Not Found"}),
        (f"{PROJECTS}/1/members", {"user_id": 2}, 400, {"error": "access_level is missing"}),
        (
            *(f"{PROJECTS}/1/members", {"access_level": 30}, 400),
            {"error": "user_id, username are missing, exactly one parameter must be provided"},
        ),
        (
            *(f"{PROJECTS}/1/members", {"user_id": 1, "access_level": 31}, 400),
            {"message": {"access_level": ["is not included in the list"]}},
        ),
        (
            *(f"{PROJECTS}/1/members", {"user_id": 2, "access_level": 30}, 409),
            {"message": "Member already exists"},
        ),
        (
            *(f"{PROJECTS}/1/members", {"user_id": 99, "access_level": 30}, 404),
            {"message": "404 User Not Found"},
        ),
        (LABELS, {}, 400, {"error": "name is missing, color is missing"}),
        (
            *(LABELS, {"name": "x", "color": "reddish"}, 400),
            {"message": {"color": ["must be a valid color code"]}},
        ),
        (LABELS, {"name": "bug", "color": "#fff"}, 409, {"message": "Label already exists"}),
        ("/api/v4/users", {"name": "x"}, 400, {"error": "email is missing, username is missing"}),
        (
            *("/api/v4/users", {"name": "x", "email": "x@x.example", "username": "Fern"}, 409),
            {"message": "Username has already been taken"},
        ),
    ],
)
async def test_refusals_are_in_gitlabs_words(
    web: httpx.AsyncClient, path: str, body: object, status: int, answer: object
) -> None:
    """Status and body, as clients match on them."""
    response = await web.post(path, json=body)
    assert (response.status_code, response.json()) == (status, answer)


@pytest.mark.parametrize("path", ["-x", "a b", "x.git", "x.atom", "a/b", "ä", "x" * 256])
@pytest.mark.parametrize("where", [PROJECTS, GROUPS])
async def test_a_path_that_would_be_no_address_is_refused(
    web: httpx.AsyncClient, where: str, path: str
) -> None:
    """With the rule."""
    response = await web.post(where, json={"name": "x", "path": path})
    assert response.status_code == 400
    assert response.json()["message"]["path"][0].startswith("can contain only letters")


@pytest.mark.parametrize("place", [f"{PROJECTS}/1", f"{GROUPS}/5"])
async def test_a_member_is_added_changed_and_removed(web: httpx.AsyncClient, place: str) -> None:
    """By number or name."""
    body = {"name": "Iris Vale", "email": "iris@greenhouse.example", "username": "iris"}
    iris = (await web.post("/api/v4/users", json=body)).json()["id"]
    added = await web.post(f"{place}/members", json={"username": "iris", "access_level": 20})
    assert (added.status_code, added.json()["id"], added.json()["access_level"]) == (201, iris, 20)
    changed = await web.put(f"{place}/members/{iris}", json={"access_level": 30, "expires_at": "2027-01-01"})
    assert (changed.json()["access_level"], changed.json()["expires_at"]) == (30, "2027-01-01")
    assert (await web.get(f"{place}/members?query=vale")).json() == [changed.json()]
    assert (await web.delete(f"{place}/members/{iris}")).status_code == 204
    assert (await web.get(f"{place}/members/{iris}")).status_code == 404


async def test_all_members_include_those_of_the_groups_above(web: httpx.AsyncClient) -> None:
    """Each once, with the highest level."""
    await web.post(f"{PROJECTS}/1/members", json={"user_id": 3, "access_level": 20})
    levels = {
        one["username"]: one["access_level"] for one in (await web.get(f"{PROJECTS}/1/members/all")).json()
    }
    assert levels == {"basil": 30, "garden-bot": 40, "fern": 50}
    assert (await web.get(f"{PROJECTS}/1/members/all/1")).json()["access_level"] == 50
    assert {one["username"] for one in (await web.get(f"{PROJECTS}/1/members")).json()} == {
        *("basil", "garden-bot")
    }


async def test_a_label_is_made_renamed_and_deleted_on_all_that_bear_it(web: httpx.AsyncClient) -> None:
    """By number or name."""
    created = await web.post(LABELS, json={"name": "wet", "color": "#AbC", "description": "Drips"})
    assert (created.status_code, created.json()["color"], created.json()["text_color"]) == (
        *(201, "#AAbbCC"),
        "#1F1E24",
    )
    await web.put(f"{PROJECTS}/1/issues/1", json={"add_labels": "wet"})
    renamed = await web.put(f"{LABELS}/wet", json={"new_name": "soaked"})
    assert (renamed.json()["id"], renamed.json()["name"]) == (created.json()["id"], "soaked")
    assert (await web.get(f"{PROJECTS}/1/issues/1")).json()["labels"] == ["bug", "soaked"]
    (counted,) = (await web.get(f"{LABELS}?search=soak&with_counts=true")).json()
    assert (counted["open_issues_count"], counted["open_merge_requests_count"]) == (1, 0)
    assert (await web.delete(f"{LABELS}/{created.json()['id']}")).status_code == 204
    assert (await web.get(f"{PROJECTS}/1/issues/1")).json()["labels"] == ["bug"]
    assert (await web.get(f"{LABELS}/soaked")).json() == {"message": "404 Label Not Found"}


async def test_a_label_comes_into_being_by_being_used(web: httpx.AsyncClient) -> None:
    """In GitLab's default colour."""
    await web.post(f"{PROJECTS}/1/issues", json={"title": "Leak", "labels": "wet"})
    assert (await web.get(f"{LABELS}/wet")).json()["color"] == "#6699cc"


async def test_namespaces_are_ones_own_and_those_of_ones_groups(web: httpx.AsyncClient) -> None:
    """Where a project can be made."""
    found = [(one["kind"], one["full_path"]) for one in (await web.get("/api/v4/namespaces")).json()]
    assert found == [("user", "garden-bot"), ("group", "greenhouse")]


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("order_by=name&sort=asc", ["axe", "watering-can", "zinc"]),
        ("order_by=last_activity_at", ["zinc", "axe", "watering-can"]),
        ("search=AX", ["axe"]),
        ("visibility=public", ["watering-can"]),
        ("owned=true&order_by=path", ["zinc", "watering-can", "axe"]),
    ],
)
async def test_projects_are_found_and_put_in_order(
    web: httpx.AsyncClient, query: str, paths: list[str]
) -> None:
    """As far as bots ask."""
    for name in ("axe", "zinc"):
        await web.post(PROJECTS, json={"name": name})
    assert [one["path"] for one in (await web.get(f"{PROJECTS}?{query}")).json()] == paths
