"""Valid names and paths of projects and groups.

https://docs.gitlab.com/user/reserved_names/#rules-for-usernames-project-and-group-names-and-slugs .
"""

from __future__ import annotations

import re

from gitlab_emulator.gitlab_api import params
from gitlab_emulator.gitlab_api.call import Call, bad_parameter, bad_value

PATH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254}")
BAD_ENDS = (".git", ".atom", ".")
RULE = (
    "can contain only letters, digits, '_', '-' and '.'. "
    "Cannot start with '-', end in '.git' or end in '.atom'"
)
VISIBILITIES = ("private", "internal", "public")


def name_and_path(call: Call) -> tuple[str, str]:
    """`name` and `path`, each made of the other where only one is given."""
    params.require_any(call.params, "name", "path")
    path = params.text(call.params, "path")
    name = params.line(call.params, "name") if "name" in call.params else None
    if path is None:
        path = re.sub(r"[^a-z0-9_.]+", "-", (name or "").lower()).strip("-.")
    return name or path, checked(path)


def checked(path: str) -> str:
    """The path, if a project or group may have it; Refusal 400 otherwise."""
    if not PATH.fullmatch(path) or path.lower().endswith(BAD_ENDS):
        raise bad_value("path", RULE)
    return path


def branch(call: Call, name: str) -> str | None:
    """A branch's name, if it is given."""
    value = params.text(call.params, name)
    if value is not None and (not value.strip() or len(value) > params.MAX_TITLE_CHARS or " " in value):
        raise bad_parameter(f"{name} is invalid")
    return value
