"""Reading files, commits and branches through the API."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

CODE = "/api/v4/projects/1/repository"


async def test_a_file_is_read_at_any_ref(web: httpx.AsyncClient) -> None:
    """In base64 with its ids, or as it is."""
    one = (await web.get(f"{CODE}/files/watering%2Ftank.py?ref=main")).json()
    text = base64.b64decode(one["content"]).decode()
    assert (one["file_name"], one["encoding"], one["size"]) == ("tank.py", "base64", len(text.encode()))
    main = (await web.get(f"{CODE}/branches/main")).json()["commit"]
    assert one["commit_id"] == one["last_commit_id"] == main["id"]
    raw = await web.get(f"{CODE}/files/watering%2Ftank.py/raw?ref={main['short_id']}")
    assert raw.text == text
    other = await web.get(f"{CODE}/files/watering%2Ftank.py/raw?ref=steadier-float")
    assert "max(" in other.text
    assert (await web.get(f"{CODE}/files/README.md/raw")).text.startswith("# Watering Can")


async def test_the_tree_shows_one_folder_or_all(web: httpx.AsyncClient) -> None:
    """Folders first; each file's id is that of git."""
    top = (await web.get(f"{CODE}/tree")).json()
    assert [(one["type"], one["path"]) for one in top] == [
        *(("tree", "watering"), ("blob", ".gitlab-ci.yml"), ("blob", "README.md"))
    ]
    (tank,) = (await web.get(f"{CODE}/tree?path=watering&ref=main")).json()
    file = (await web.get(f"{CODE}/files/watering%2Ftank.py?ref=main")).json()
    assert (tank["path"], tank["id"], tank["mode"]) == ("watering/tank.py", file["blob_id"], "100644")
    assert len((await web.get(f"{CODE}/tree?recursive=true")).json()) == 4


async def test_commits_are_listed_with_what_they_changed(web: httpx.AsyncClient) -> None:
    """Newest first, of a branch; of one path only if asked."""
    newest, first = (await web.get(f"{CODE}/commits?ref_name=steadier-float")).json()
    assert newest["parent_ids"] == [first["id"]]
    assert [one["id"] for one in (await web.get(f"{CODE}/commits")).json()] == [first["id"]]
    touched = (await web.get(f"{CODE}/commits?ref_name=steadier-float&path=README.md")).json()
    assert [one["id"] for one in touched] == [first["id"]]
    (change,) = (await web.get(f"{CODE}/commits/{newest['id']}/diff")).json()
    assert (change["new_path"], change["new_file"]) == ("watering/tank.py", False)
    assert "+    return max(" in change["diff"]
    (merge_request,) = (await web.get(f"{CODE}/commits/steadier-float/merge_requests")).json()
    assert merge_request["sha"] == newest["id"]
    assert (await web.get(f"{CODE}/commits/{newest['short_id']}")).json()["status"] == "success"


async def test_two_refs_are_compared(web: httpx.AsyncClient) -> None:
    """What the second has that the first has not."""
    found = (await web.get(f"{CODE}/compare?from=main&to=steadier-float")).json()
    assert [one["title"] for one in found["commits"]] == ["Read the float twice"]
    assert [one["new_path"] for one in found["diffs"]] == ["watering/tank.py"]
    assert (await web.get(f"{CODE}/compare?from=main&to=main")).json()["compare_same_ref"] is True


async def test_a_merge_request_between_real_branches_has_their_commits(web: httpx.AsyncClient) -> None:
    """And not one that is made up."""
    await web.put("/api/v4/projects/1/merge_requests/1", json={"state_event": "close"})
    body = {"title": "Again", "source_branch": "steadier-float", "target_branch": "main"}
    made = (await web.post("/api/v4/projects/1/merge_requests", json=body)).json()
    first = (await web.get("/api/v4/projects/1/merge_requests/1")).json()
    assert (made["sha"], made["changes_count"]) == (first["sha"], "1")


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        ("/files/README.md", 400, {"error": "ref is missing"}),
        ("/files/nothing?ref=main", 404, {"message": "404 File Not Found"}),
        ("/files/README.md?ref=nowhere", 404, {"message": "404 Commit Not Found"}),
        ("/tree?path=nowhere", 404, {"message": "404 invalid revision or path Not Found"}),
        ("/tree?ref=nowhere", 404, {"message": "404 Tree Not Found"}),
        ("/commits/abc", 404, {"message": "404 Commit Not Found"}),
        ("/commits?since=yesterday", 400, {"error": "since is invalid"}),
        ("/branches/nowhere", 404, {"message": "404 Branch Not Found"}),
        ("/compare?from=main", 400, {"error": "to is missing"}),
        ("/compare?from=main&to=nowhere", 404, {"message": "404 Ref Not Found"}),
    ],
)
async def test_refusals_are_in_gitlabs_words(
    web: httpx.AsyncClient, path: str, status: int, answer: object
) -> None:
    """Status and body, as clients match on them."""
    response = await web.get(f"{CODE}{path}")
    assert (response.status_code, response.json()) == (status, answer)


async def test_an_empty_repository_has_no_tree(web: httpx.AsyncClient) -> None:
    """GitLab says so with a 404."""
    number = (await web.post("/api/v4/projects", json={"name": "Empty"})).json()["id"]
    code = f"/api/v4/projects/{number}/repository"
    assert (await web.get(f"{code}/tree")).json() == {"message": "404 Tree Not Found"}
    assert (await web.get(f"{code}/branches")).json() == []
    assert (await web.get(f"{code}/commits")).status_code == 404
