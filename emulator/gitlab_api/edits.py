"""What can be read and changed alike on issues and merge requests: filters of lists, edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from emulator.gitlab_api import params
from emulator.state import Issue, MergeRequest, set_open

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from emulator.gitlab_api.call import Call

EDITABLE = (
    *("title", "description", "state_event", "assignee_id", "assignee_ids"),
    *("labels", "add_labels", "remove_labels"),
)

Item = TypeVar("Item", Issue, MergeRequest)


def selected(call: Call, items: Iterable[Item], *states: str) -> list[Item]:
    """Those that `state` (one of these, or all), `labels`, `iids`, `search`, `author_*` ask for."""
    state = params.choice(call.params, "state", *states, "all") or "all"
    labels = set(params.words(call.params, "labels") or [])
    iids = params.numbers(call.params, "iids")
    search = (params.text(call.params, "search") or "").lower()
    author_id = params.whole_number(call.params, "author_id")
    username = params.text(call.params, "author_username")
    conditions: list[Callable[[Item], bool]] = [
        lambda item: state in ("all", item.state),
        lambda item: labels <= set(item.labels),
        lambda item: iids is None or item.iid in iids,
        lambda item: search in f"{item.title}\n{item.description or ''}".lower(),
        lambda item: author_id in (None, item.author_id),
        lambda item: username in (None, call.state.users[item.author_id].username),
    ]
    return [item for item in items if all(condition(item) for condition in conditions)]


def apply(call: Call, item: Issue | MergeRequest) -> None:
    """Change what the parameters name. All are read before any is applied: no half edits."""
    given = call.params
    title = params.title(given) if "title" in given else item.title
    description = params.long_text(given, "description") if "description" in given else item.description
    labels = params.labels_after(given, item.labels)
    assignee_ids = _assignee_ids(call, item)
    event = params.choice(given, "state_event", "close", "reopen")
    item.title, item.description = title, description
    item.labels, item.assignee_ids = labels, assignee_ids
    item.updated_at = call.now
    if event is not None:
        set_open(item, is_open=event == "reopen", by=call.user, now=call.now)


def _assignee_ids(call: Call, item: Issue | MergeRequest) -> list[int]:
    """Who is assigned afterwards; GitLab skips ids that it does not know, and 0 unassigns."""
    wanted = params.numbers(call.params, "assignee_ids")
    single = params.whole_number(call.params, "assignee_id")
    if wanted is None and "assignee_id" in call.params:
        wanted = [single or 0]
    return item.assignee_ids if wanted is None else [one for one in wanted if one in call.state.users]
