"""Look after a GitLab project: commands in comments, labels, reviewers, merges, notices, stale issues."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import Any

import httpx
from gidgetlab.abc import GitLabAPI
from gidgetlab.sansio import Event

from hookyard import Bot, GiveUp, Wait, policy

LABELS = {"documentation": ["docs/*", "*.md"], "python": ["*.py"], "ci": [".gitlab-ci.yml"]}
STALE_DAYS = 60
ONE_MERGE_REQUEST = "{project}!{iid}"


@asynccontextmanager
async def lifespan() -> AsyncGenerator[dict[str, Any], None]:
    """Keep a connection to the chat open; without CHAT_URL there is no chat."""
    async with httpx.AsyncClient(base_url=os.environ.get("CHAT_URL", ""), timeout=5) as chat:
        yield {"chat": chat}


bot = Bot(lifespan=lifespan)


def project_of(event: Event) -> str:
    """Return the project's path in the API."""
    return f"/projects/{event.project_id}"


# 1. Commands in comments: "/label bug", "/close"


@bot.register("Note Hook")
@policy(own="skip")
async def obey(event: Event, gl: GitLabAPI) -> list[str]:
    """Do what the commands in a comment on an issue say."""
    if "issue" not in event.data:
        return []
    issue = f"{project_of(event)}/issues/{event.data['issue']['iid']}"
    done: list[str] = []
    for line in event.object_attributes["note"].splitlines():
        command, _, argument = line.strip().partition(" ")
        if command == "/label" and argument:
            await gl.put(issue, data={"add_labels": argument})
        elif command == "/close":
            await gl.put(issue, data={"state_event": "close"})
        else:
            continue
        done.append(line.strip())
    return done


# 2. Labels by changed files, once for all the pushes that come together


@bot.register("Merge Request Hook", action="open")
@bot.register("Merge Request Hook", action="update")
@policy(key=ONE_MERGE_REQUEST, latest=True, debounce=0.2, own="skip")
async def label(event: Event, gl: GitLabAPI) -> None:
    """Add the labels whose patterns match a changed file."""
    merge_request = f"{project_of(event)}/merge_requests/{event.object_attributes['iid']}"
    wanted: set[str] = set()
    async for change in gl.getiter(f"{merge_request}/diffs"):
        path = change["new_path"]
        wanted |= {name for name, globs in LABELS.items() if any(fnmatch(path, glob) for glob in globs)}
    present = set((await gl.getitem(merge_request))["labels"])
    if wanted - present:
        await gl.put(merge_request, data={"add_labels": ",".join(sorted(wanted - present))})


# 3. Reviewers in turn


@bot.register("Merge Request Hook", action="open")
@policy(key="{project}")
async def assign_reviewer(event: Event, gl: GitLabAPI) -> str:
    """Ask the next member for a review: one merge request at a time, so that no turn is taken twice."""
    merge_request = f"{project_of(event)}/merge_requests/{event.object_attributes['iid']}"
    now = await gl.getitem(merge_request)
    if now["reviewers"]:
        return str(now["reviewers"][0]["username"])
    members = [
        member
        async for member in gl.getiter(f"{project_of(event)}/members/all")
        if member["id"] != now["author"]["id"]
    ]
    if not members:
        raise GiveUp("there is nobody else in the project")
    reviewer = sorted(members, key=lambda member: int(member["id"]))[now["iid"] % len(members)]
    await gl.put(merge_request, data={"reviewer_ids": [reviewer["id"]]})
    return str(reviewer["username"])


# 4. Merge when green


@bot.register("Merge Request Hook", action="approved")
@policy(key=ONE_MERGE_REQUEST, wait_at_most=7200)
async def merge(event: Event, gl: GitLabAPI) -> str:
    """Merge an approved merge request once its pipeline has passed."""
    iid = event.object_attributes["iid"]
    merge_request = f"{project_of(event)}/merge_requests/{iid}"
    now = await gl.getitem(merge_request)
    if now["state"] != "opened":
        return str(now["state"])
    pipeline = now["head_pipeline"]
    if pipeline and pipeline["status"] in {"created", "pending", "running"}:
        path = event.data["project"]["path_with_namespace"]
        raise Wait(300, f"pipeline {pipeline['id']} is {pipeline['status']}", wake_on=f"{path}!{iid}")
    if pipeline and pipeline["status"] != "success":
        raise GiveUp(f"pipeline {pipeline['id']} is {pipeline['status']}")
    await gl.put(f"{merge_request}/merge", data={"sha": now["sha"]})
    return "merged"


def merge_request_of(event: Event) -> str:
    """Return the merge request of a pipeline, ``group/app!0`` where it has none."""
    about = event.data.get("merge_request") or {"iid": 0}
    return f"{event.data['project']['path_with_namespace']}!{about['iid']}"


@bot.register("Pipeline Hook")
@policy(key=merge_request_of)
async def wake_merge(_event: Event, _gl: GitLabAPI) -> None:
    """Do nothing: that a delivery with this key has come wakes who waits for it."""


# 5. Notices in a chat


@bot.task
@policy(rate="60/minute", max_attempts=5)
async def notify(event: Event, _gl: GitLabAPI, chat: httpx.AsyncClient) -> None:
    """Say something in the chat."""
    if str(chat.base_url):
        (await chat.post("", json={"text": event.data})).raise_for_status()


@bot.register("Merge Request Hook", action="merge")
async def announce(event: Event, _gl: GitLabAPI) -> None:
    """Have the merge told, once."""
    attributes = event.object_attributes
    await notify.enqueue(f"merged: {attributes['title']}", once=f"merged {attributes['id']}")


# 6. Stale issues, each working day


@bot.schedule("0 6 * * 1-5", timezone="Europe/Stockholm")
async def close_stale(_event: Event, gl: GitLabAPI) -> int:
    """Enqueue a look at each issue that nobody has touched for long."""
    before = (datetime.now(UTC) - timedelta(days=STALE_DAYS)).isoformat()
    count = 0
    params: dict[str, str | bool] = {"state": "opened", "scope": "all", "updated_before": before}
    async for issue in gl.getiter("/issues", params):
        await close_one.enqueue({"project": issue["project_id"], "iid": issue["iid"]})
        count += 1
    return count


@bot.task
@policy(rate="30/minute")
async def close_one(event: Event, gl: GitLabAPI) -> None:
    """Close a stale issue, and say why."""
    issue = f"/projects/{event.data['project']}/issues/{event.data['iid']}"
    if (await gl.getitem(issue))["state"] == "opened":
        await gl.post(f"{issue}/notes", data={"body": f"Nothing happened for {STALE_DAYS} days."})
        await gl.put(issue, data={"state_event": "close"})


# 7. A nightly job, one project at a time


@bot.schedule("30 2 * * *", timezone="UTC", catch_up=True)
async def sync(_event: Event, gl: GitLabAPI) -> None:
    """Enqueue each project that the bot can see."""
    async for project in gl.getiter("/projects", {"membership": "true"}):
        await sync_project.enqueue(project["id"])


@bot.task
@policy(concurrency=1)
async def sync_project(event: Event, gl: GitLabAPI) -> None:
    """Make sure that a project has the labels that this bot uses."""
    labels = f"/projects/{event.data}/labels"
    present = {label["name"] async for label in gl.getiter(labels)}
    for name in sorted(LABELS.keys() - present):
        await gl.post(labels, data={"name": name, "color": "#1f7a4d"})


# 8. One at a time for each merge request: a review environment, for the latest push only


@bot.register("Merge Request Hook", action="update")
@policy(key=ONE_MERGE_REQUEST, latest=True, debounce=0.2, timeout=600)
async def deploy_review(event: Event, gl: GitLabAPI) -> str:
    """Set the status of the commit that is deployed; a real bot would deploy it in between."""
    sha = event.object_attributes["last_commit"]["id"]
    status = {"state": "success", "name": "review", "target_url": "https://review.example.com/"}
    await gl.post(f"{project_of(event)}/statuses/{sha}", data=status)
    return str(sha)
