"""Reading parameters the way GitLab does: coerced where it coerces, refused in its words.

GitLab declares parameters with Grape (`lib/api/*.rb`), whose messages are `x is missing`, `x is
invalid`, `x does not have a valid value`; several faults are joined with commas.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gitlab_emulator.gitlab_api.call import bad_parameter, bad_value

if TYPE_CHECKING:
    from collections.abc import Mapping

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
TRUE = {"true", "1", "t", "yes", "on"}
FALSE = {"false", "0", "f", "no", "off", ""}
MAX_TITLE_CHARS = 255
MAX_TEXT_CHARS = 1_048_576


def require(params: Mapping[str, Any], *names: str) -> None:
    """400 that names every parameter that is not there at all."""
    if missing := [f"{name} is missing" for name in names if name not in params]:
        raise bad_parameter(", ".join(missing))


def require_any(params: Mapping[str, Any], *names: str) -> None:
    """400 when none of the parameters is there: an edit that changes nothing."""
    if not any(name in params for name in names):
        raise bad_parameter(f"{', '.join(names)} are missing, at least one parameter must be provided")


def text(params: Mapping[str, Any], name: str) -> str | None:
    """The parameter as text; None when absent or null. Numbers and booleans become text."""
    value = params.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    raise bad_parameter(f"{name} is invalid")


def title(params: Mapping[str, Any]) -> str:
    """A title that an issue or merge request may have."""
    return line(params, "title")


def line(params: Mapping[str, Any], name: str) -> str:
    """A name or the like: text of at most `MAX_TITLE_CHARS`, not blank."""
    value = (text(params, name) or "").strip()
    if not value:
        raise bad_value(name, "can't be blank")
    if len(value) > MAX_TITLE_CHARS:
        raise bad_value(name, f"is too long (maximum is {MAX_TITLE_CHARS} characters)")
    return value


def long_text(params: Mapping[str, Any], name: str) -> str | None:
    """A description or the like, of at most `MAX_TEXT_CHARS`."""
    value = text(params, name)
    if value is not None and len(value) > MAX_TEXT_CHARS:
        raise bad_value(name, f"is too long (maximum is {MAX_TEXT_CHARS} characters)")
    return value


def whole_number(params: Mapping[str, Any], name: str) -> int | None:
    """The parameter as an integer of at most 18 digits; None when absent or null."""
    value = text(params, name)
    if value is None:
        return None
    if not WHOLE_NUMBER.fullmatch(value):
        raise bad_parameter(f"{name} is invalid")
    return int(value)


def flag(params: Mapping[str, Any], name: str) -> bool | None:
    """The parameter as a truth value; None when absent or null."""
    value = text(params, name)
    if value is None:
        return None
    if value.lower() in TRUE | FALSE:
        return value.lower() in TRUE
    raise bad_parameter(f"{name} is invalid")


def choice(params: Mapping[str, Any], name: str, *values: str) -> str | None:
    """The parameter, one of the values; None when absent or null."""
    value = text(params, name)
    if value is not None and value not in values:
        raise bad_parameter(f"{name} does not have a valid value")
    return value


def moment(params: Mapping[str, Any], name: str) -> datetime | None:
    """The parameter as a time in ISO 8601, in UTC unless it says otherwise; None when absent or null."""
    value = text(params, name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise bad_parameter(f"{name} is invalid") from None


def words(params: Mapping[str, Any], name: str) -> list[str] | None:
    """A list, or text with commas (as labels come); no blanks, no doubles, in order. None when absent."""
    value = params.get(name)
    if value is None:
        return None
    parts = value if isinstance(value, list) else (text(params, name) or "").split(",")
    if not all(isinstance(part, str | int) for part in parts):
        raise bad_parameter(f"{name} is invalid")
    return list(dict.fromkeys(stripped for part in parts if (stripped := str(part).strip())))


def require_one(params: Mapping[str, Any], *names: str) -> None:
    """400 unless just one of the parameters is there."""
    if len(given := [name for name in names if name in params]) != 1:
        why = "are mutually exclusive" if given else "are missing, exactly one parameter must be provided"
        raise bad_parameter(f"{', '.join(given or names)} {why}")


def numbers(params: Mapping[str, Any], name: str) -> list[int] | None:
    """A list of integers; None when absent."""
    parts = words(params, name)
    if parts is None:
        return None
    if not all(WHOLE_NUMBER.fullmatch(part) for part in parts):
        raise bad_parameter(f"{name} is invalid")
    return [int(part) for part in parts]


def labels_after(params: Mapping[str, Any], labels: list[str]) -> list[str]:
    """The labels that `labels`, `add_labels` and `remove_labels` make of these, sorted by name."""
    given = words(params, "labels")
    kept = labels if given is None else given
    removed = words(params, "remove_labels") or []
    return sorted({*kept, *(words(params, "add_labels") or [])} - set(removed))
