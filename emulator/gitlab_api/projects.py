"""Projects: https://docs.gitlab.com/api/projects/ ."""

from __future__ import annotations

from functools import partial

from emulator.gitlab_api import lookup, params, shapes
from emulator.gitlab_api.call import Answer, Call
from emulator.gitlab_api.paging import paged


def list_all(call: Call) -> Answer:
    """GET /projects, newest first; `search` narrows by name or path."""
    wanted = (params.text(call.params, "search") or "").lower()
    found = [
        project
        for project in reversed(call.state.projects.values())
        if wanted in f"{project.name}\n{project.path_with_namespace}".lower()
    ]
    return paged(call, found, partial(shapes.project, base_url=call.base_url))


def get(call: Call) -> Answer:
    """GET /projects/:id."""
    return Answer(body=shapes.project(lookup.project(call), call.base_url))
