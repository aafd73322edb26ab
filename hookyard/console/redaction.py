"""Redact bodies: secrets, addresses and names, for those who may not read them. Rule: pure."""

from __future__ import annotations

import json
import re
from typing import Any, Final

HIDDEN: Final = "•••"
_SECRET_KEYS: Final = re.compile(
    r"(?i)(^|_)(token|secret|password|passwd|private_key|api_key|authorization|credentials?)($|_)"
)
_PERSON_KEYS: Final = frozenset(
    """
    email user_email public_email commit_email user_name user_username username avatar_url user_avatar
    last_edited_by avatar full_name
    """.split()  # noqa: SIM905 - words are read more easily than quotation marks
)
_PERSONS: Final = frozenset(
    """
    user author assignee assignees reviewers committer commenter owner approved_by merge_user
    last_edited_by
    """.split()  # noqa: SIM905 - the same
)
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,256}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}")
"""Begins only where a word does, and is bounded: a body of 25 MB takes no longer than its length."""
_TOKEN: Final = re.compile(
    r"\b(?:gl[a-z]{2,6}-[\w-]{8,}|whsec_[\w+/=]{16,}|gh[pousr]_\w{20,}|xox[a-z]-[\w-]{10,})"
)


def redact(body: bytes) -> bytes:
    """Return *body* without secrets, e-mail addresses and the names of people; JSON stays JSON."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return redact_text(body.decode(errors="replace")).encode()
    try:
        return json.dumps(_redacted(data, is_person=False), ensure_ascii=False).encode(errors="replace")
    except RecursionError:
        return json.dumps(HIDDEN, ensure_ascii=False).encode()


def redact_text(text: str) -> str:
    """Return *text* without addresses and without tokens that are known by their look."""
    return _TOKEN.sub(HIDDEN, _EMAIL.sub(HIDDEN, text))


def _redacted(value: Any, *, is_person: bool) -> Any:
    match value:
        case dict():
            return {key: _field(key, each, is_person=is_person) for key, each in value.items()}
        case list():
            return [_redacted(each, is_person=is_person) for each in value]
        case str():
            return redact_text(value)
    return value


def _field(key: str, value: Any, *, is_person: bool) -> Any:
    if isinstance(value, dict | list):
        return _redacted(value, is_person=key in _PERSONS)
    if value is None or value == "":
        return value
    if _SECRET_KEYS.search(key) or key in _PERSON_KEYS or (is_person and key == "name"):
        return HIDDEN
    return _redacted(value, is_person=False)
