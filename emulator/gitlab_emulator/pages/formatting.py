"""Formatting for pages: dates, signs, links, the order of lists. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api.shapes import web_url
from gitlab_emulator.hooks.auto_disabling import alert_status
from gitlab_emulator.state import Issue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitlab_emulator.hooks.model import Hook
    from gitlab_emulator.state import Note, Noteable, Project, State

NOTES_SHOWN = 5
NOTEABLES_SHOWN = 20
MAX_JSON_CHARS = 200_000


def is_bot(state: State, user_id: int) -> bool:
    """Whether an account is a bot's."""
    return state.users[user_id].bot


def count_bot_notes(state: State) -> int:
    """How many notes bots have written."""
    return sum(
        is_bot(state, note.author_id)
        for project in state.projects.values()
        for item in project.noteables()
        for note in item.notes.values()
    )


def link(project: Project, item: Noteable | None = None) -> str:
    """The path of a page, good under whatever host the reader came by."""
    return web_url("", project, item)


def sign(item: Noteable) -> str:
    """How GitLab refers to a thing in its project: `#1`, `!1`."""
    return f"{'#' if isinstance(item, Issue) else '!'}{item.iid}"


def busiest(items: Iterable[Noteable], shown: int = NOTEABLES_SHOWN) -> list[Noteable]:
    """The issues and merge requests that something happened to last."""
    return sorted(items, key=lambda item: item.updated_at, reverse=True)[:shown]


def newest(notes: dict[int, Note], shown: int = NOTES_SHOWN) -> list[Note]:
    """The last notes, in the order in which they were written."""
    return list(islice(reversed(notes.values()), shown))[::-1]


def when(moment: datetime) -> str:
    """A moment for readers: `2 Nov 2026, 09:00:00 UTC`."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"


def as_text(value: object) -> str:
    """JSON that a person can read, cut where it gets too long for a page."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= MAX_JSON_CHARS else f"{text[:MAX_JSON_CHARS]}\n… and more, not shown here"


def place_of(state: State, hook: Hook) -> str:
    """Whose hook it is: a project's or group's full path, or System."""
    project, group = state.projects.get(hook.project_id or 0), state.groups.get(hook.group_id or 0)
    return project.path_with_namespace if project else group.full_path if group else "System"


def condition(hook: Hook, now: datetime) -> str:
    """Whether it is called, in words."""
    status = alert_status(hook, now)
    if status == "temporarily_disabled" and hook.disabled_until is not None:
        return f"disabled until {when(hook.disabled_until)}"
    return "disabled for good" if status == "disabled" else "executable"
