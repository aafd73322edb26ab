"""Parameters that describe a hook, read and refused the way GitLab does.

Attributes: https://docs.gitlab.com/api/project_webhooks/ , group_webhooks, system_hooks.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gitlab_emulator.gitlab_api import params
from gitlab_emulator.gitlab_api.call import Refusal, bad_parameter
from gitlab_emulator.hooks.registration import SWITCHES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitlab_emulator.hooks.model import Hook
    from gitlab_emulator.hooks.validation import HookError

TEXTS = ("url", "name", "description", "token", "push_events_branch_filter", "custom_webhook_template")
STRATEGIES = ("wildcard", "regex", "all_branches")
PAIRS = ("url_variables", "custom_headers")
KINDS_OF_STATUS = {
    "successful": range(200, 300),
    "client_failure": range(400, 500),
    "server_failure": range(500, 600),
}
MAX_EVENTS_A_PAGE = 20


def attributes(given: Mapping[str, Any], *, signs: bool) -> dict[str, Any]:
    """The attributes of `Hook` that the parameters name, but for switches; `signs`: knows signing tokens."""
    found: dict[str, Any] = {
        name: params.text(given, name)
        for name in (*TEXTS, *(["signing_token"] if signs else []))
        if name in given
    }
    if (verify := params.flag(given, "enable_ssl_verification")) is not None:
        found["enable_ssl_verification"] = verify
    if (strategy := params.choice(given, "branch_filter_strategy", *STRATEGIES)) is not None:
        found["branch_filter_strategy"] = strategy
    if found.get("branch_filter_strategy") == "all_branches":
        found["push_events_branch_filter"] = None
    for name in PAIRS:
        if pairs := _pairs(given, name):
            found[name] = pairs
    return found


def switches(given: Mapping[str, Any], kind: str, on: list[str]) -> list[str]:
    """What is on after the parameters have had their say; `kind` is project, group or system."""
    said = {name: params.flag(given, f"{name}_events") for name in SWITCHES[kind]}
    return [name for name, flag in said.items() if flag or (flag is None and name in on)]


def merged(changes: dict[str, Any], hook: Hook) -> dict[str, Any]:
    """The same changes, with pairs added to those that the hook has."""
    return changes | {name: {**getattr(hook, name), **changes[name]} for name in PAIRS if name in changes}


def refused(error: HookError, *, editing: bool = False) -> Refusal:
    """422 as GitLab puts it: in one shape when a hook is made, in another when it is edited."""
    if not editing or error.attribute in ("url", "push_events_branch_filter"):
        return Refusal(422, {"error": str(error)})
    if error.attribute == "custom_headers":
        return Refusal(422, {"error": "Custom headers validation failed"})
    return Refusal(422, {"message": {error.attribute or "base": [error.why]}})


def statuses(given: Mapping[str, Any]) -> set[str] | None:
    """The values of `response_status` that `status` asks for; None for all.

    GitLab counts a delivery without an answer as a failure of the server.
    """
    words = params.words(given, "status")
    if not words:
        return None
    found: set[str] = set()
    for word in words:
        if word in KINDS_OF_STATUS:
            found |= {str(code) for code in KINDS_OF_STATUS[word]}
        elif word in {str(status.value) for status in HTTPStatus}:
            found.add(word)
        else:
            raise bad_parameter("status does not have a valid value")
    return found | ({"internal error"} if "server_failure" in words else set())


def check_page_size(given: Mapping[str, Any]) -> None:
    """400 for more events than GitLab puts on a page."""
    per_page = params.whole_number(given, "per_page")
    if per_page is not None and not 1 <= per_page <= MAX_EVENTS_A_PAGE:
        raise bad_parameter("per_page does not have a valid value")


def _pairs(given: Mapping[str, Any], name: str) -> dict[str, str]:
    """A list of objects with `key` and `value`."""
    listed = given.get(name)
    if listed is None:
        return {}
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise bad_parameter(f"{name} is invalid")
    found = {}
    for position, one in enumerate(listed):
        values = [params.text(one, part) for part in ("key", "value")]
        if None in values:
            part = "key" if values[0] is None else "value"
            raise bad_parameter(f"{name}[{position}][{part}] is missing")
        found[str(values[0])] = str(values[1])
    return found
