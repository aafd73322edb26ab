"""Owners of hooks: a project, a group or the instance, and who may manage theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import lookup, params
from gitlab_emulator.gitlab_api.call import bad_parameter, forbidden, not_found
from gitlab_emulator.state import MAINTAINER, OWNER

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Call
    from gitlab_emulator.hooks.model import Hook


@dataclass(frozen=True, kw_only=True)
class Place:
    """A kind of hooks: `kind` is project, group or system, `path` where the API has them."""

    kind: str
    path: str

    def ids(self, call: Call) -> dict[str, int]:
        """Which project or group, as attributes of its hooks; 404 and 403 as GitLab does."""
        if self.kind == "project":
            project = lookup.project(call)
            call.require(project, MAINTAINER)
            return {"project_id": project.id}
        if self.kind == "group":
            group = call.state.group(call.ids["id"])
            if group is None:
                raise not_found("Group")
            call.require(group, OWNER)
            return {"group_id": group.id}
        if not call.is_admin:
            raise forbidden()
        return {}

    def hooks(self, call: Call) -> list[Hook]:
        """All hooks there, oldest first."""
        ids = self.ids(call)
        wanted = (ids.get("project_id"), ids.get("group_id"))
        return [hook for hook in call.state.hooks.values() if (hook.project_id, hook.group_id) == wanted]

    def hook(self, call: Call) -> Hook:
        """The hook `:hook_id` there."""
        if not params.WHOLE_NUMBER.fullmatch(call.ids["hook_id"]):
            raise bad_parameter("hook_id is invalid")
        number = int(call.ids["hook_id"])
        for hook in self.hooks(call):
            if hook.id == number:
                return hook
        raise not_found()


PROJECT = Place(kind="project", path="/projects/:id/hooks")
GROUP = Place(kind="group", path="/groups/:id/hooks")
SYSTEM = Place(kind="system", path="/hooks")
