"""A project's labels: https://docs.gitlab.com/api/labels/ ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import lookup, params, shapes_places
from gitlab_emulator.gitlab_api.call import Answer, Call, Refusal, bad_value, not_found
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import PLANNER, Label

if TYPE_CHECKING:
    from gitlab_emulator.state import Project

COLOR = re.compile(r"#(?:[0-9A-Fa-f]{3}){1,2}")
NAMED_COLORS = {
    "black": "#000000",
    "white": "#ffffff",
    "red": "#ff0000",
    "green": "#008000",
    "blue": "#0000ff",
    "yellow": "#ffff00",
    "orange": "#ffa500",
    "purple": "#800080",
    "gray": "#808080",
}


def list_all(call: Call) -> Answer:
    """GET /projects/:id/labels, by name; `search` narrows, `with_counts` adds numbers."""
    project = lookup.project(call)
    wanted = (params.text(call.params, "search") or "").lower()
    with_counts = params.flag(call.params, "with_counts") or False
    found = sorted(
        (one for one in project.labels.values() if wanted in f"{one.title}\n{one.description or ''}".lower()),
        key=lambda one: one.title.lower(),
    )
    return paged(call, found, lambda one: shapes_places.label(project, one, with_counts=with_counts))


def get(call: Call) -> Answer:
    """GET /projects/:id/labels/:label_id, by number or name."""
    return Answer(body=shapes_places.label(lookup.project(call), _label(call)))


def create(call: Call) -> Answer:
    """POST /projects/:id/labels: 201; 409 for a name that is taken. Needs `name`, `color`."""
    project = lookup.project(call, PLANNER)
    params.require(call.params, "name", "color")
    title = _title(call, "name")
    color, description = _color(call), params.long_text(call.params, "description")
    priority = params.whole_number(call.params, "priority")
    if project.label(title) is not None:
        raise Refusal(409, {"message": "Label already exists"})
    label = Label(
        id=call.state.next_id("label"),
        title=title,
        color=color,
        description=description,
        priority=priority,
        created_at=call.now,
        updated_at=call.now,
    )
    project.labels[label.id] = label
    return Answer(status=201, body=shapes_places.label(project, label))


def edit(call: Call) -> Answer:
    """PUT /projects/:id/labels/:label_id; a new name reaches all that bears the label."""
    project = lookup.project(call, PLANNER)
    label = _label(call)
    params.require_any(call.params, "new_name", "color", "description", "priority")
    title = _title(call, "new_name") if "new_name" in call.params else label.title
    color = _color(call) if "color" in call.params else label.color
    description = params.long_text(call.params, "description")
    priority = params.whole_number(call.params, "priority")
    if title != label.title and project.label(title) is not None:
        raise Refusal(400, {"message": {"title": ["has already been taken"]}})
    _rename(project, label.title, title)
    label.title, label.color, label.updated_at = title, color, call.now
    label.description = description if "description" in call.params else label.description
    label.priority = priority if "priority" in call.params else label.priority
    return Answer(body=shapes_places.label(project, label))


def delete(call: Call) -> Answer:
    """DELETE /projects/:id/labels/:label_id: 204; all that bears the label loses it."""
    project = lookup.project(call, PLANNER)
    label = _label(call)
    _rename(project, label.title, None)
    del project.labels[label.id]
    return Answer(status=204)


def _rename(project: Project, title: str, new: str | None) -> None:
    for item in project.noteables():
        if title in item.labels:
            item.labels = sorted({*item.labels} - {title} | ({new} if new else set()))


def _label(call: Call) -> Label:
    """The label that the path names, or `label_id` or `name` besides it, as GitLab used to have it."""
    project = lookup.project(call)
    reference = call.ids.get("label_id") or params.text(call.params, "label_id")
    reference = reference or params.text(call.params, "name") or ""
    found = project.label(reference)
    if found is None and params.WHOLE_NUMBER.fullmatch(reference):
        found = project.labels.get(int(reference))
    if found is None:
        raise not_found("Label")
    return found


def _title(call: Call, name: str) -> str:
    title = (params.text(call.params, name) or "").strip()
    if not title or "," in title:
        raise bad_value("title", "is invalid" if title else "can't be blank")
    if len(title) > params.MAX_TITLE_CHARS:
        raise bad_value("title", f"is too long (maximum is {params.MAX_TITLE_CHARS} characters)")
    return title


def _color(call: Call) -> str:
    given = (params.text(call.params, "color") or "").strip()
    color = NAMED_COLORS.get(given.lower(), given)
    if not COLOR.fullmatch(color):
        raise bad_value("color", "must be a valid color code")
    digits = color[1:]
    return color if len(color) > len("#rgb") else "#" + "".join(digit * 2 for digit in digits)
