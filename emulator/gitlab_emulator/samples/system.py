"""The samples of system hooks, by name: their body alone tells them apart, the header is always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import system_people, system_places

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitlab_emulator.samples.scene import Json, Scene

SAMPLES: dict[str, Callable[[Scene], Json]] = {
    "system-push": system_places.pushed,
    "system-tag-push": system_places.tag_pushed,
    "system-merge-request": system_places.merge_request_opened,
    "system-repository-update": system_places.repository_updated,
    "system-project-create": system_places.project_created,
    "system-project-destroy": system_places.project_destroyed,
    "system-project-rename": system_places.project_renamed,
    "system-project-transfer": system_places.project_transferred,
    "system-project-update": system_places.project_updated,
    "system-group-create": system_places.group_created,
    "system-group-destroy": system_places.group_destroyed,
    "system-group-rename": system_places.group_renamed,
    "system-user-create": system_people.user_created,
    "system-user-destroy": system_people.user_destroyed,
    "system-user-rename": system_people.user_renamed,
    "system-user-failed-login": system_people.login_failed,
    "system-key-create": system_people.key_created,
    "system-key-destroy": system_people.key_destroyed,
    "system-user-add-to-team": system_people.added_to_team,
    "system-user-update-for-team": system_people.updated_for_team,
    "system-user-remove-from-team": system_people.removed_from_team,
    "system-user-add-to-group": system_people.added_to_group,
    "system-user-update-for-group": system_people.updated_for_group,
    "system-user-remove-from-group": system_people.removed_from_group,
    "system-user-access-request-to-group": system_people.requested_for_group,
    "system-user-access-request-revoked-for-group": system_people.request_revoked_for_group,
    "system-user-access-request-to-project": system_people.requested_for_project,
    "system-user-access-request-revoked-for-project": system_people.request_revoked_for_project,
    "system-member-approval-enqueue": system_people.promotion_queued,
    "system-member-approvals-approve": system_people.promotion_approved,
    "system-member-approvals-deny": system_people.promotion_denied,
}
