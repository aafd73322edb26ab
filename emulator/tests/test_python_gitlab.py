"""python-gitlab, unchanged, against an emulator on a real socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from gitlab_emulator.app import create_app
from receiving import receiving
from serving_app import serving

gitlab = pytest.importorskip("gitlab")

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.applications import Starlette

TANK = "watering/tank.py"


@pytest.fixture
async def app() -> Starlette:
    """An emulator whose clock runs."""
    return create_app()


@pytest.fixture
async def gl(app: Starlette) -> AsyncIterator[Any]:
    """The client as a bot makes it; it blocks, so tests call it in a thread."""
    async with serving(app) as address:
        client = gitlab.Gitlab(address, private_token="glpat-any")
        yield client
        client.session.close()


async def in_thread(work: Callable[[], Any]) -> Any:
    """What a script of a bot's author does."""
    return await asyncio.to_thread(work)


async def test_it_makes_a_project_and_a_hook_and_the_issue_it_opens_arrives(app: Starlette, gl: Any) -> None:
    """The whole way round: API, hook, receiver."""
    async with receiving() as receiver:

        def script() -> Any:
            gl.auth()
            group = gl.groups.create({"name": "Tools", "path": "tools"})
            project = gl.projects.create({"name": "Hose Pipe", "namespace_id": group.id})
            project.hooks.create({"url": receiver.url, "issues_events": True, "token": "hush"})
            return project.issues.create({"title": "Leak", "labels": ["wet"]})

        issue = await in_thread(script)
        await app.state.hooks.settled()
    (received,) = receiver.received
    assert received.headers["x-gitlab-event"] == "Issue Hook"
    assert received.headers["x-gitlab-token"] == "hush"
    assert received.data["object_attributes"]["url"] == issue.web_url
    assert received.data["project"]["path_with_namespace"] == "tools/hose-pipe"


async def test_it_works_on_an_issue(gl: Any) -> None:
    """Notes, labels, emoji, discussions, closing."""

    def script() -> Any:
        project = gl.projects.get("greenhouse/watering-can")
        issue = project.issues.get(1)
        note = issue.notes.create({"body": "Hi"})
        note.body = "Hello"
        note.save()
        note.awardemojis.create({"name": "seedling"})
        issue.awardemojis.create({"name": "thumbsup"}).delete()
        discussion = issue.discussions.create({"body": "Which tank?"})
        discussion.notes.create({"body": "The east one."})
        label = project.labels.create({"name": "wet", "color": "#3c6e8f"})
        label.new_name = "soaked"
        label.save()
        issue.labels = ["bug", "soaked"]
        issue.state_event = "close"
        issue.save()
        return project.issues.get(1)

    issue = await in_thread(script)
    assert (issue.state, issue.labels) == ("closed", ["bug", "soaked"])
    bodies = await in_thread(lambda: [one.body for one in issue.notes.list(get_all=True, sort="asc")])
    assert bodies[1:] == ["Hello", "Which tank?", "The east one."]


async def test_it_reads_files_and_sets_a_commit_status(gl: Any) -> None:
    """By branch, and by the commit's own id."""

    def script() -> Any:
        project = gl.projects.get(1, lazy=True)
        text = project.files.get(TANK, ref="main").decode().decode()
        assert project.files.raw(TANK, ref="main").decode() == text
        assert TANK in [one["path"] for one in project.repository_tree(recursive=True, get_all=True)]
        commit = project.commits.get("main")
        for state in ("running", "success"):
            commit.statuses.create({"state": state, "name": "bot"})
        return [(one.name, one.status) for one in commit.statuses.list(get_all=True)]

    assert await in_thread(script) == [("bot", "success")]


async def test_it_approves_and_merges(gl: Any) -> None:
    """After a resolved discussion, as a person."""

    def script() -> Any:
        merge_request = gl.projects.get(1).mergerequests.get(1)
        discussion = merge_request.discussions.create({"body": "Twice?"})
        discussion.resolved = True
        discussion.save()
        merge_request.approve()
        assert merge_request.approvals.get().approved_by[0]["user"]["username"] == "garden-bot"
        merge_request.merge(sudo="fern")
        return gl.projects.get(1).mergerequests.get(1)

    merged = await in_thread(script)
    assert (merged.state, merged.merge_user["username"]) == ("merged", "fern")


async def test_it_runs_a_pipeline_and_plays_the_runner(gl: Any) -> None:
    """Nothing runs by itself in the emulator."""

    def script() -> Any:
        project = gl.projects.get(1)
        pipeline = project.pipelines.create({"ref": "main"})
        (job,) = pipeline.jobs.list(get_all=True)
        gl.http_put(f"/jobs/{job.id}", post_data={"state": "failed"})
        pipeline.retry()
        return project.pipelines.get(pipeline.id), project.jobs.get(job.id)

    pipeline, job = await in_thread(script)
    assert (pipeline.status, job.status, job.failure_reason) == ("pending", "failed", "script_failure")


async def test_it_goes_through_all_pages(gl: Any) -> None:
    """By the Link header, also when it asks for keyset pagination."""

    def script() -> Any:
        project = gl.projects.get(1)
        for number in range(25):
            project.issues.create({"title": f"Leak {number}"})
        pages = project.issues.list(iterator=True, per_page=10, order_by="created_at", pagination="keyset")
        return [issue.iid for issue in pages], pages.total

    iids, total = await in_thread(script)
    assert (iids, total) == (list(range(26, 0, -1)), 26)


async def test_it_waits_out_a_429_as_told(gl: Any) -> None:
    """`obey_rate_limit` is python-gitlab's default: it sleeps for Retry-After, then tries again."""

    def script() -> Any:
        order = {"status": 429, "headers": {"Retry-After": "0"}, "calls": 2, "path": "/api/v4/user"}
        gl.session.post(f"{gl.url}/-/faults", json=order).raise_for_status()
        gl.auth()
        calls = gl.session.get(f"{gl.url}/-/calls").json()
        return gl.user.username, [call["status"] for call in calls]

    assert await in_thread(script) == ("garden-bot", [429, 429, 200])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda gl: gl.projects.get("no/where"), "GitlabGetError", "404 Project Not Found"),
        (
            *(lambda gl: gl.projects.get(1).issues.create({"title": ""}), "GitlabCreateError"),
            {"title": ["can't be blank"]},
        ),
        (lambda gl: gl.http_get("/snippets"), "GitlabHttpError", "does not do GET /api/v4/snippets (yet)"),
    ],
)
async def test_refusals_reach_it_with_their_words(
    gl: Any, act: Callable[[Any], object], error: str, message: object
) -> None:
    """As the exceptions that bots catch."""
    with pytest.raises(getattr(gitlab.exceptions, error)) as caught:
        await in_thread(lambda: act(gl))
    found = caught.value.error_message
    assert message in found if isinstance(message, str) else found == message
