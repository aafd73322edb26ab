"""Validation of hooks, with GitLab's messages.

Rules: https://docs.gitlab.com/api/project_webhooks/ and "Custom headers", "Signing tokens" in
https://docs.gitlab.com/user/project/integrations/webhooks/ . Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitlab_emulator.hooks.matching import is_branch_filter
from gitlab_emulator.hooks.placeholders import fill_url, missing_variables
from gitlab_emulator.hooks.signing import signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitlab_emulator.hooks.model import Hook

NAME = re.compile(r"[A-Za-z]+[0-9]*(?:[._-][A-Za-z0-9]+)*")
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
MAX_PAIRS = 20
MAX_CHARS = {
    "name": 255,
    "description": 2048,
    "url": 2048,
    "push_events_branch_filter": 5000,
    "token": 2048,
    "custom_webhook_template": 4096,
}
MAX_NAME_CHARS = 255
MAX_VALUE_CHARS = 2048
MAX_PORT = 65_535
OWN_TEXTS = {
    "url": "Invalid url given",
    "push_events_branch_filter": "Invalid branch filter given",
    "custom_headers": "Custom headers must be a valid json schema",
}


class HookError(ValueError):
    """The hook cannot be as asked for; `attribute` (None: the hook as a whole) is to blame, for `why`."""

    def __init__(self, attribute: str | None, why: str) -> None:
        self.attribute = attribute
        self.why = why
        name = (attribute or "").replace("_", " ").capitalize()
        super().__init__(OWN_TEXTS.get(attribute or "") or f"{name} {why}".strip())


def validate(hook: Hook) -> None:
    """Raise HookError for the first thing that is wrong with it."""
    for attribute, why in _faults(hook):
        raise HookError(attribute, why)


def _faults(hook: Hook) -> Iterator[tuple[str, str]]:
    if not is_url(hook.url, hook.url_variables):
        yield "url", "is invalid"
    for attribute, most in MAX_CHARS.items():
        if len(getattr(hook, attribute) or "") > most:
            yield attribute, f"is too long (maximum is {most} characters)"
    if not is_branch_filter(hook.push_events_branch_filter or "", hook.branch_filter_strategy):
        yield "push_events_branch_filter", "is invalid"
    if "\n" in (hook.token or ""):
        yield "token", "is invalid"
    if hook.signing_token:
        try:
            signing_key(hook.signing_token)
        except ValueError:
            yield "signing_token", "must be in whsec_<base64> format encoding a 32-byte key"
    for attribute in ("custom_headers", "url_variables"):
        if not _are_pairs(getattr(hook, attribute)):
            yield attribute, "must be a valid json schema"


def is_url(text: str, variables: Mapping[str, str] | None = None) -> bool:
    """Whether GitLab can call this address: http or https, with a host; variables must have values."""
    if not text or missing_variables(text, variables or {}):
        return False
    filled = fill_url(text, variables or {})
    try:
        parts = urlsplit(filled)
        port_ok = parts.port is None or 0 < parts.port <= MAX_PORT
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port_ok
        and not UNPRINTABLE.search(filled)
    )


def _are_pairs(pairs: Mapping[str, str]) -> bool:
    return len(pairs) <= MAX_PAIRS and all(
        NAME.fullmatch(name)
        and len(name) <= MAX_NAME_CHARS
        and 0 < len(value) <= MAX_VALUE_CHARS
        and value.isprintable()
        for name, value in pairs.items()
    )
