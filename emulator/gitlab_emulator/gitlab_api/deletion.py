"""Deleting projects and groups with all that hangs on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Call
    from gitlab_emulator.state import Group, Project


def remove_project(call: Call, project: Project) -> None:
    """Delete a project with its hooks; what is under way to these still arrives."""
    for hook in [hook for hook in call.state.hooks.values() if hook.project_id == project.id]:
        call.hooks.remove(hook)
    del call.state.projects[project.id]


def remove_group(call: Call, group: Group) -> None:
    """Delete a group with the groups and projects in it, and the hooks of all these."""
    for project in call.state.projects_below(group):
        remove_project(call, project)
    for one in [group, *call.state.groups_below(group)]:
        for hook in [hook for hook in call.state.hooks.values() if hook.group_id == one.id]:
            call.hooks.remove(hook)
        del call.state.groups[one.id]
