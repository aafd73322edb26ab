"""Projects: https://docs.gitlab.com/api/projects/ ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitlab_emulator.gitlab_api import deletion, lookup, namespace_events, params, paths, shapes_places
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, Refusal, bad_value
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import (
    ACCESS_LEVELS,
    DEVELOPER,
    MAINTAINER,
    OWNER,
    Commit,
    Group,
    Member,
    Project,
    Repository,
    User,
    sha_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TAKEN = ["has already been taken"]
ORDERS: dict[str, Callable[[Project], Any]] = {
    "id": lambda project: project.id,
    "name": lambda project: project.name.lower(),
    "path": lambda project: project.path,
    "created_at": lambda project: project.created_at,
    "updated_at": lambda project: project.last_activity_at,
    "last_activity_at": lambda project: project.last_activity_at,
}


def list_all(call: Call) -> Answer:
    """GET /projects, newest first; `search`, `membership`, `owned`, `visibility` narrow."""
    return _list(call, call.state.projects.values())


def list_of_group(call: Call) -> Answer:
    """GET /groups/:id/projects; with `include_subgroups` also those further below."""
    group = lookup.group(call)
    deep = params.flag(call.params, "include_subgroups") or False
    below = call.state.projects_below(group)
    return _list(call, [one for one in below if deep or one.namespace_id == group.id])


def list_of_user(call: Call) -> Answer:
    """GET /users/:id/projects: those in the account's own namespace."""
    owner = lookup.user(call)
    return _list(
        call, [one for one in call.state.projects.values() if one.namespace_id == owner.namespace_id]
    )


def get(call: Call) -> Answer:
    """GET /projects/:id."""
    return Answer(body=_whole(call, lookup.project(call)))


def create(call: Call) -> Answer:
    """POST /projects: 201. Needs `name` or `path`; in the account's own namespace unless one is named."""
    name, path = paths.name_and_path(call)
    description = params.long_text(call.params, "description") or ""
    visibility = params.choice(call.params, "visibility", *paths.VISIBILITIES) or "private"
    default_branch = paths.branch(call, "default_branch") or "main"
    with_readme = params.flag(call.params, "initialize_with_readme") or False
    home = _namespace(call)
    full_path = f"{home.full_path if isinstance(home, Group) else home.username}/{path}"
    if call.state.project(full_path) is not None or call.state.group(full_path) is not None:
        raise Refusal(400, {"message": {"project_namespace.name": TAKEN, "name": TAKEN, "path": TAKEN}})
    project = Project(
        id=call.state.next_id("project"),
        path_with_namespace=full_path,
        name=name,
        namespace_id=home.id if isinstance(home, Group) else home.namespace_id,
        namespace_name=home.name,
        description=description,
        created_at=call.now,
        default_branch=default_branch,
        visibility=visibility,
        creator_id=call.user.id,
        repository=_with_readme(call, name, default_branch) if with_readme else Repository(),
    )
    if isinstance(home, User):
        project.members[home.id] = Member(user_id=home.id, access_level=OWNER, created_at=call.now)
    call.state.projects[project.id] = project
    namespace_events.project(call, project, "project_create")
    return Answer(status=201, body=_whole(call, project))


def edit(call: Call) -> Answer:
    """PUT /projects/:id."""
    project = lookup.project(call, MAINTAINER)
    editable = ("name", "path", "description", "visibility", "default_branch", "archived")
    params.require_any(call.params, *editable, "topics", "tag_list", "merge_method", "issues_enabled")
    name = params.line(call.params, "name") if "name" in call.params else project.name
    path = paths.checked(params.text(call.params, "path") or project.path)
    description = params.long_text(call.params, "description")
    visibility = params.choice(call.params, "visibility", *paths.VISIBILITIES) or project.visibility
    branch = paths.branch(call, "default_branch")
    old, new = project.path_with_namespace, f"{project.namespace_path}/{path}"
    if new.lower() != old.lower() and call.state.project(new) is not None:
        raise bad_value("path", TAKEN[0])
    project.name, project.path_with_namespace, project.visibility = name, new, visibility
    project.description = project.description if description is None else description
    project.default_branch = branch or project.default_branch
    if new != old:
        namespace_events.project(call, project, "project_rename", old_path_with_namespace=old)
    else:
        namespace_events.project(call, project, "project_update")
    return Answer(body=_whole(call, project))


def delete(call: Call) -> Answer:
    """DELETE /projects/:id: 202, for owners. GitLab takes its time, the emulator none."""
    project = lookup.project(call, OWNER)
    namespace_events.project(call, project, "project_destroy")
    deletion.remove_project(call, project)
    return Answer(status=202, body={"message": "202 Accepted"})


def _namespace(call: Call) -> Group | User:
    """Where a new project is to go: the group or account that `namespace_id` names, else the caller's own."""
    number = params.whole_number(call.params, "namespace_id")
    if number is None or number == call.user.namespace_id:
        return call.user
    group = call.state.groups.get(number)
    if group is None or call.level(group) < DEVELOPER:
        raise bad_value("namespace", "is not valid")
    return group


def _with_readme(call: Call, name: str, branch: str) -> Repository:
    commit = Commit(
        sha=sha_of(f"first commit of {name} {call.now.isoformat()}"),
        parent_sha="",
        message="Initial commit",
        author_id=call.user.id,
        created_at=call.now,
        added=["README.md"],
    )
    made = Repository()
    made.add(commit, {"README.md": f"# {name}\n"}, branch=branch)
    return made


def _list(call: Call, projects: Iterable[Project]) -> Answer:
    wanted = (params.text(call.params, "search") or "").lower()
    least = params.whole_number(call.params, "min_access_level") or 0
    if least and least not in ACCESS_LEVELS:
        raise bad_value("min_access_level", "does not have a valid value")
    if params.flag(call.params, "membership"):
        least = max(least, min(ACCESS_LEVELS))
    if params.flag(call.params, "owned"):
        least = max(least, OWNER)
    visibility = params.choice(call.params, "visibility", *paths.VISIBILITIES)
    found = [
        project
        for project in projects
        if call.sees(project)
        and wanted in f"{project.name}\n{project.path_with_namespace}".lower()
        and call.level(project) >= least
        and visibility in (None, project.visibility)
    ]
    order = params.choice(call.params, "order_by", *ORDERS) or "created_at"
    newest_first = params.choice(call.params, "sort", "asc", "desc") != "asc"
    ordered = sorted(found, key=lambda one: (ORDERS[order](one), one.id), reverse=newest_first)
    return paged(call, ordered, lambda project: _shape(call, project))


def _shape(call: Call, project: Project) -> Json:
    return shapes_places.project(call.state, project, call.base_url)


def _whole(call: Call, project: Project) -> Json:
    """A project by itself: with what the account may do there."""
    own = project.members.get(call.user.id)
    above = [
        group.members[call.user.id]
        for group in call.state.groups_above(project)
        if call.user.id in group.members
    ]
    best = max(above, key=lambda member: member.access_level, default=None)
    permissions = {
        name: None if one is None else {"access_level": one.access_level, "notification_level": 3}
        for name, one in (("project_access", own), ("group_access", best))
    }
    return {**_shape(call, project), "permissions": permissions}
