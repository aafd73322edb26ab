"""The world that the emulator starts with: one project, two people, a bot, something to talk about.

The same at every start and in every process, so that a sample event sent by one process names
objects that another process's API knows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gitlab_emulator.seed_code import FILES, FIXED_FILES, float_fix, repository
from gitlab_emulator.state import (
    DEVELOPER,
    MAINTAINER,
    OWNER,
    Group,
    Issue,
    Job,
    Label,
    Member,
    MergeRequest,
    Note,
    Pipeline,
    Project,
    State,
    User,
    changes_between,
)

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def seed() -> State:
    """A fresh world: project 1 with issue 1 and merge request 1, each with one person's note.

    Fern owns the group and is the instance's administrator, Basil is a developer of the project, the
    bot a maintainer.
    """
    fern = User(
        id=1,
        username="fern",
        name="Fern Okafor",
        email="fern@greenhouse.example",
        created_at=START,
        admin=True,
    )
    basil = User(
        id=2, username="basil", name="Basil Lindqvist", email="basil@greenhouse.example", created_at=START
    )
    bot = User(
        id=3,
        username="garden-bot",
        name="Garden Bot",
        email="garden-bot@noreply.greenhouse.example",
        created_at=START,
        bot=True,
    )
    group = Group(
        id=5,
        name="Greenhouse",
        full_path="greenhouse",
        description="Everything under glass.",
        created_at=START,
        members=_members({fern.id: OWNER, bot.id: MAINTAINER}),
    )
    project = Project(
        id=1,
        path_with_namespace="greenhouse/watering-can",
        name="Watering Can",
        namespace_id=group.id,
        namespace_name=group.name,
        description="Waters the greenhouse, and says so when the tank runs dry.",
        created_at=START,
        creator_id=fern.id,
        members=_members({basil.id: DEVELOPER}),
        labels=_labels(),
        repository=repository(author=fern, start=START),
    )
    project.issues[1] = _issue(project, reporter=basil, maintainer=fern)
    project.merge_requests[1] = _merge_request(project, author=fern, reviewer=basil)
    pipeline = _pipeline(project.merge_requests[1], by=fern)
    project.pipelines[pipeline.id] = pipeline
    return State(
        users={user.id: user for user in (fern, basil, bot)},
        projects={project.id: project},
        groups={group.id: group},
        bot_id=bot.id,
    )


def _members(levels: dict[int, int]) -> dict[int, Member]:
    return {
        user_id: Member(user_id=user_id, access_level=level, created_at=START)
        for user_id, level in levels.items()
    }


def _labels() -> dict[int, Label]:
    bug = Label(
        id=1,
        title="bug",
        color="#b33c00",
        description="It does what it should not",
        created_at=START,
        updated_at=START,
    )
    hardware = Label(
        id=2, title="hardware", color="#3c6e8f", description=None, created_at=START, updated_at=START
    )
    return {label.id: label for label in (bug, hardware)}


def _issue(project: Project, *, reporter: User, maintainer: User) -> Issue:
    opened_at, noted_at = START + timedelta(hours=1), START + timedelta(hours=2)
    note = Note(
        id=11,
        author_id=maintainer.id,
        body="Which tank is it? The east one has a stiff float.",
        created_at=noted_at,
        updated_at=noted_at,
    )
    return Issue(
        id=41,
        iid=1,
        project_id=project.id,
        title="The tank counts as empty right after a refill",
        description="I fill it to the brim, the lamp goes on all the same. It stays on for an hour.",
        author_id=reporter.id,
        created_at=opened_at,
        updated_at=noted_at,
        labels=["bug"],
        notes={note.id: note},
    )


def _merge_request(project: Project, *, author: User, reviewer: User) -> MergeRequest:
    opened_at, noted_at = START + timedelta(hours=5), START + timedelta(hours=6)
    fix = float_fix(author=author, start=START)
    note = Note(
        id=12,
        author_id=reviewer.id,
        body="Tried it on the east tank: the lamp stays off.",
        created_at=noted_at,
        updated_at=noted_at,
    )
    return MergeRequest(
        id=71,
        iid=1,
        project_id=project.id,
        title="Read the float twice before raising the alarm",
        description="Closes #1",
        author_id=author.id,
        created_at=opened_at,
        updated_at=noted_at,
        source_branch="steadier-float",
        target_branch=project.default_branch,
        commits=[fix],
        changes=changes_between(FILES, FIXED_FILES),
        labels=["hardware"],
        notes={note.id: note},
    )


def _pipeline(merge_request: MergeRequest, *, by: User) -> Pipeline:
    created_at = merge_request.created_at
    started_at, finished_at = created_at + timedelta(seconds=4), created_at + timedelta(seconds=42)
    job = Job(
        id=91,
        name="unit",
        stage="test",
        user_id=by.id,
        status="success",
        created_at=created_at,
        started_at=started_at,
        finished_at=finished_at,
        trace="$ python -m unittest\n3 tests, all well\n",
    )
    return Pipeline(
        id=81,
        iid=1,
        ref=merge_request.source_branch,
        sha=merge_request.sha,
        user_id=by.id,
        created_at=created_at,
        updated_at=finished_at,
        jobs={job.id: job},
    )
