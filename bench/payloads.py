"""Webhook bodies of our own making: shaped like GitLab's, 2 to 5 KB, each different."""

from __future__ import annotations

import json
import random
import uuid
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

HOST: Final = "https://gitlab.example.test"
_NOUNS: Final = (
    "cache",
    "parser",
    "queue",
    "login",
    "export",
    "mirror",
    "runner",
    "badge",
    "webhook",
    "index",
    "token",
    "sidebar",
    "upload",
)
_VERBS: Final = (
    "breaks",
    "hangs",
    "leaks",
    "drops",
    "repeats",
    "ignores",
    "shows",
    "loses",
    "forgets",
    "truncates",
    "misreads",
    "rejects",
)
_PLACES: Final = (
    "on Sundays",
    "behind a proxy",
    "after an upgrade",
    "for guests",
    "with Unicode",
    "in dark mode",
    "under load",
)


def make(count: int, *, seed: int = 7) -> list[tuple[str, bytes]]:
    """Return *count* pairs of event name and body: issues, pushes and merge requests in turn."""
    chance = random.Random(seed)  # noqa: S311 - the same bodies in every run
    makers = (_issue, _push, _merge_request)
    return [
        (name, json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())
        for number in range(count)
        for name, data in (makers[number % len(makers)](chance),)
    ]


def write(path: Path, count: int = 300) -> Path:
    """Write *count* of them for the load generators: one per line, event name and body, tab between."""
    path.write_bytes(b"".join(name.encode() + b"\t" + body + b"\n" for name, body in make(count)))
    return path


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join(
        chance.choice((*_NOUNS, *_VERBS, "the", "and", "when", "then", f"#{chance.randrange(9000)}"))
        for _ in range(words)
    )


def _title(chance: random.Random) -> str:
    return f"{chance.choice(_NOUNS)} {chance.choice(_VERBS)} {chance.choice(_PLACES)}"


def _sha(chance: random.Random) -> str:
    return f"{chance.getrandbits(160):040x}"


def _time(chance: random.Random) -> str:
    day = f"2026-0{chance.randrange(1, 10)}-{chance.randrange(1, 29):02}"
    return f"{day} {chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02} UTC"


def _user(chance: random.Random) -> dict[str, Any]:
    number = chance.randrange(10, 9000)
    return {
        "id": number,
        "name": f"{chance.choice(_NOUNS).title()} Person {number}",
        "username": f"person{number}",
        "avatar_url": f"{HOST}/uploads/-/system/user/avatar/{number}/avatar.png",
        "email": "[REDACTED]",
    }


def _project(chance: random.Random) -> dict[str, Any]:
    number = chance.randrange(100, 900)
    path = f"group-{number % 17}/{_NOUNS[number % len(_NOUNS)]}-{number}"
    web = f"{HOST}/{path}"
    return {
        "id": number,
        "name": path.rpartition("/")[2].title(),
        "description": _sentence(chance, 9),
        "web_url": web,
        "avatar_url": None,
        "git_ssh_url": f"git@gitlab.example.test:{path}.git",
        "git_http_url": f"{web}.git",
        "namespace": f"Group {number % 17}",
        "visibility_level": 0,
        "path_with_namespace": path,
        "default_branch": "main",
        "ci_config_path": "",
        "homepage": web,
        "url": f"git@gitlab.example.test:{path}.git",
        "ssh_url": f"git@gitlab.example.test:{path}.git",
        "http_url": f"{web}.git",
    }


def _labels(chance: random.Random, project: int) -> list[dict[str, Any]]:
    return [
        {
            "id": chance.randrange(10_000),
            "title": chance.choice(_NOUNS),
            "color": f"#{chance.getrandbits(24):06x}",
            "project_id": project,
            "created_at": _time(chance),
            "updated_at": _time(chance),
            "template": False,
            "description": _sentence(chance, 5),
            "type": "ProjectLabel",
            "group_id": None,
        }
        for _ in range(chance.randrange(1, 3))
    ]


def _issue(chance: random.Random) -> tuple[str, dict[str, Any]]:
    project, author = _project(chance), _user(chance)
    labels, now, iid = _labels(chance, project["id"]), _time(chance), chance.randrange(1, 4000)
    attributes = {
        "id": chance.randrange(10**6),
        "iid": iid,
        "title": _title(chance),
        "description": _sentence(chance, chance.randrange(20, 140)),
        "project_id": project["id"],
        "author_id": author["id"],
        "assignee_id": author["id"],
        "assignee_ids": [author["id"]],
        "created_at": _time(chance),
        "updated_at": now,
        "updated_by_id": author["id"],
        "closed_at": None,
        "confidential": False,
        "due_date": None,
        "milestone_id": None,
        "relative_position": chance.randrange(10**6),
        "state_id": 1,
        "time_estimate": 0,
        "total_time_spent": 0,
        "human_time_estimate": None,
        "weight": None,
        "severity": "unknown",
        "health_status": None,
        "url": f"{project['web_url']}/-/issues/{iid}",
        "labels": labels,
        "state": "opened",
        "action": "update",
    }
    return "Issue Hook", {
        "object_kind": "issue",
        "event_type": "issue",
        "user": author,
        "project": project,
        "object_attributes": attributes,
        "labels": labels,
        "changes": {"updated_at": {"previous": _time(chance), "current": now}},
        "repository": {key: project[key] for key in ("name", "url", "description", "homepage")},
        "assignees": [author],
    }


def _commit(chance: random.Random, project: dict[str, Any]) -> dict[str, Any]:
    sha, author = _sha(chance), _user(chance)
    message = _title(chance)
    return {
        "id": sha,
        "message": f"{message}\n\n{_sentence(chance, chance.randrange(5, 40))}\n",
        "title": message,
        "timestamp": _time(chance),
        "url": f"{project['web_url']}/-/commit/{sha}",
        "author": {"name": author["name"], "email": author["email"]},
        "added": [f"src/{chance.choice(_NOUNS)}/{chance.choice(_VERBS)}.py"],
        "modified": [f"lib/{chance.choice(_NOUNS)}.rb" for _ in range(chance.randrange(1, 5))],
        "removed": [],
    }


def _push(chance: random.Random) -> tuple[str, dict[str, Any]]:
    project, user = _project(chance), _user(chance)
    commits = [_commit(chance, project) for _ in range(chance.randrange(2, 5))]
    return "Push Hook", {
        "object_kind": "push",
        "event_name": "push",
        "before": _sha(chance),
        "after": commits[-1]["id"],
        "ref": f"refs/heads/{chance.choice(_NOUNS)}-{chance.randrange(500)}",
        "ref_protected": False,
        "checkout_sha": commits[-1]["id"],
        "message": None,
        "user_id": user["id"],
        "user_name": user["name"],
        "user_username": user["username"],
        "user_email": "",
        "user_avatar": user["avatar_url"],
        "project_id": project["id"],
        "project": project,
        "commits": commits,
        "total_commits_count": len(commits),
        "push_options": {},
        "repository": {key: project[key] for key in ("name", "url", "description", "homepage")},
    }


def _merge_request(chance: random.Random) -> tuple[str, dict[str, Any]]:
    project, author = _project(chance), _user(chance)
    iid, now = chance.randrange(1, 4000), _time(chance)
    attributes = {
        "id": chance.randrange(10**6),
        "iid": iid,
        "title": _title(chance),
        "description": _sentence(chance, chance.randrange(10, 60)),
        "author_id": author["id"],
        "assignee_ids": [author["id"]],
        "reviewer_ids": [chance.randrange(9000)],
        "created_at": _time(chance),
        "updated_at": now,
        "source_branch": f"{chance.choice(_NOUNS)}-{chance.randrange(500)}",
        "target_branch": "main",
        "source_project_id": project["id"],
        "target_project_id": project["id"],
        "merge_status": "can_be_merged",
        "detailed_merge_status": "mergeable",
        "merge_commit_sha": None,
        "merge_params": {"force_remove_source_branch": "1"},
        "head_pipeline_id": chance.randrange(10**6),
        "work_in_progress": False,
        "draft": False,
        "blocking_discussions_resolved": True,
        "state_id": 1,
        "url": f"{project['web_url']}/-/merge_requests/{iid}",
        "source": project,
        "last_commit": _commit(chance, project),
        "state": "opened",
        "action": "update",
        "oldrev": _sha(chance),
    }
    return "Merge Request Hook", {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": author,
        "project": project,
        "object_attributes": attributes,
        "labels": _labels(chance, project["id"]),
        "changes": {"updated_at": {"previous": _time(chance), "current": now}},
        "assignees": [author],
    }


def fresh_ids(chance: random.Random, count: int) -> list[str]:
    """Return delivery ids as GitLab makes them."""
    return [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(count)]
