"""The world that the emulator starts with: one project, two people, a bot, something to talk about.

The same at every start and in every process, so that a sample event sent by one process names
objects that another process's API knows.
"""

from datetime import UTC, datetime, timedelta

from emulator.state import Commit, FileChange, Issue, MergeRequest, Note, Project, State, User, sha_of

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def seed() -> State:
    """A fresh world: project 1 with issue 1 and merge request 1, each with one person's note."""
    fern = User(id=1, username="fern", name="Fern Okafor", email="fern@greenhouse.example", created_at=START)
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
    project = Project(
        id=1,
        path_with_namespace="greenhouse/watering-can",
        name="Watering Can",
        namespace_id=5,
        namespace_name="Greenhouse",
        description="Waters the greenhouse, and says so when the tank runs dry.",
        created_at=START,
    )
    project.issues[1] = _issue(project, reporter=basil, maintainer=fern)
    project.merge_requests[1] = _merge_request(project, author=fern, reviewer=basil)
    users = {user.id: user for user in (fern, basil, bot)}
    return State(users=users, projects={project.id: project}, bot_id=bot.id)


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
    commit = Commit(
        sha=sha_of("steadier-float"),
        parent_sha=sha_of("main"),
        message="Read the float twice\n\nOne reading may catch it mid-splash.\n",
        author_id=author.id,
        created_at=opened_at,
        modified=["watering/tank.py"],
    )
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
        commits=[commit],
        changes=[
            FileChange(
                path="watering/tank.py",
                diff="@@ -7,2 +7,2 @@ def is_empty(tank):\n"
                "-    return tank.float_mm() < LOW_MM\n"
                "+    return max(tank.float_mm(), tank.float_mm()) < LOW_MM\n",
            )
        ],
        labels=["hardware"],
        notes={note.id: note},
    )
