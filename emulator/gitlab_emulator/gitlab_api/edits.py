"""Filters and edits that issues and merge requests have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gitlab_emulator.gitlab_api import params
from gitlab_emulator.state import DEVELOPER, PLANNER, Issue, MergeRequest, set_open

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gitlab_emulator.gitlab_api.call import Call

EDITABLE = (
    *("title", "description", "state_event", "assignee_id", "assignee_ids"),
    *("labels", "add_labels", "remove_labels"),
)
# What may be edited besides in GitLab: taken, and without effect.
IGNORED = ("milestone_id", "discussion_locked", "due_date", "weight", "squash", "remove_source_branch")

Item = TypeVar("Item", Issue, MergeRequest)


def selected(call: Call, items: Iterable[Item], *states: str) -> list[Item]:
    """Those that `state` (one of these, or all), `labels`, `iids`, `search`, `author_*` ask for."""
    state = params.choice(call.params, "state", *states, "all") or "all"
    labels = params.words(call.params, "labels") or []
    iids = params.numbers(call.params, "iids")
    search = (params.text(call.params, "search") or "").lower()
    author_id = params.whole_number(call.params, "author_id")
    username = params.text(call.params, "author_username")
    assignee = params.text(call.params, "assignee_id")
    since, until = (params.moment(call.params, name) for name in ("updated_after", "updated_before"))
    conditions: list[Callable[[Item], bool]] = [
        lambda item: state in ("all", item.state),
        lambda item: _bears(item, labels),
        lambda item: iids is None or item.iid in iids,
        lambda item: search in f"{item.title}\n{item.description or ''}".lower(),
        lambda item: author_id in (None, item.author_id),
        lambda item: username in (None, call.state.users[item.author_id].username),
        lambda item: _is_assigned(item, assignee),
        lambda item: since is None or item.updated_at >= since,
        lambda item: until is None or item.updated_at <= until,
    ]
    return [item for item in items if all(condition(item) for condition in conditions)]


def _bears(item: Issue | MergeRequest, labels: list[str]) -> bool:
    """Whether it has all these labels; `None` asks for things without any, `Any` for those with some."""
    if [label.lower() for label in labels] in (["none"], ["any"]):
        return bool(item.labels) == (labels[0].lower() == "any")
    return set(labels) <= set(item.labels)


def _is_assigned(item: Issue | MergeRequest, assignee: str | None) -> bool:
    if assignee is None:
        return True
    if assignee.lower() in ("none", "any"):
        return bool(item.assignee_ids) == (assignee.lower() == "any")
    return assignee in map(str, item.assignee_ids)


def may_edit(call: Call, item: Issue | MergeRequest) -> None:
    """403 for who neither wrote it nor has it assigned, and is no member who may edit all of them."""
    if call.user.id not in (item.author_id, *item.assignee_ids):
        needed = PLANNER if isinstance(item, Issue) else DEVELOPER
        call.require(call.state.projects[item.project_id], needed)


def apply(call: Call, item: Issue | MergeRequest) -> None:
    """Change what the parameters name. All are read before any is applied: no half edits."""
    given = call.params
    title = params.title(given) if "title" in given else item.title
    description = params.long_text(given, "description") if "description" in given else item.description
    labels = params.labels_after(given, item.labels)
    assignees = assignee_ids(call, item.assignee_ids)
    event = params.choice(given, "state_event", "close", "reopen")
    if (title, description) != (item.title, item.description):
        item.last_edited_at, item.last_edited_by_id = call.now, call.user.id
    item.title, item.description = title, description
    item.assignee_ids = assignees
    set_labels(call, item, labels)
    item.updated_at, item.updated_by_id = call.now, call.user.id
    if event is not None:
        set_open(item, is_open=event == "reopen", by=call.user, now=call.now)


def set_labels(call: Call, item: Issue | MergeRequest, labels: list[str]) -> None:
    """Give it these labels; those that the project does not have yet come into being."""
    call.state.use_labels(call.state.projects[item.project_id], labels, call.now)
    item.labels = labels


def assignee_ids(call: Call, now: list[int]) -> list[int]:
    """Who is assigned afterwards; 0 unassigns."""
    single = params.whole_number(call.params, "assignee_id")
    if params.numbers(call.params, "assignee_ids") is None and "assignee_id" in call.params:
        return known(call, [single or 0])
    return people(call, "assignee_ids", now)


def people(call: Call, name: str, now: list[int]) -> list[int]:
    """The accounts that a list of ids names, or else those of now; GitLab skips ids that it does not know."""
    wanted = params.numbers(call.params, name)
    return now if wanted is None else known(call, wanted)


def known(call: Call, ids: list[int]) -> list[int]:
    """Those ids that are accounts."""
    return [one for one in ids if one in call.state.users]
