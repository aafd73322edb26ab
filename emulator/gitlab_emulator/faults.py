"""Faults on order: what the next calls of the API are to answer instead of the truth.

Read from JSON, matched and used up here; carried out in `gitlab_api.api`. No I/O, no clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus

MAX_CALLS = 1_000_000
MAX_DELAY_S = 600.0
MAX_FAULTS = 1_000
FIELDS = {"calls", "status", "headers", "body", "method", "path", "delay_s", "drop"}
STATUS_RANGE = range(200, 600)
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
FRAMING = {"content-length", "transfer-encoding", "connection"}  # the server's own business


class FaultError(ValueError):
    """The order makes no sense; the text says which field and what it may be."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The next `calls` matching calls are answered with `status` after `delay_s` seconds.

    Without a `status` they are answered truly, just late. `drop` closes the connection instead, without
    any answer. `method` and `path` narrow down which calls match (`path` is a prefix of the request's path
    as sent, e.g. `/api/v4/projects/1`); None matches all. `body` is text, or anything else to send as
    JSON; None means the body that GitLab or the server before it usually sends with that status.
    """

    calls: int = 1
    status: int | None = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    method: str | None = None
    path: str | None = None
    delay_s: float = 0.0
    drop: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Whether a call with this method and path is to fail."""
        return self.method in (None, method) and path.startswith(self.path or "")

    def answer_body(self) -> object:
        """What to send: text or something for JSON.

        GitLab's rate limiter answers 429 in plain text
        (docs.gitlab.com/administration/settings/user_and_ip_rate_limits), the API itself in JSON;
        statuses that HTTP does not know come from proxies, in HTML.
        """
        if self.body is not None:
            return self.body
        status = self.status or HTTPStatus.OK
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return "Retry later\n"
        try:
            return {"message": f"{status} {HTTPStatus(status).phrase}"}
        except ValueError:
            return f"<html><body><h1>Error {status}</h1></body></html>\n"


class Faults:
    """The orders that are not used up, first come, first served."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Add one to the end; raises FaultError when `MAX_FAULTS` wait already."""
        if len(self._faults) >= MAX_FAULTS:
            raise FaultError(f"{MAX_FAULTS} faults wait already; DELETE /-/faults clears them")
        self._faults.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this call meets, used up by one call; None for a call that is to succeed."""
        for position, fault in enumerate(self._faults):
            if fault.matches(method, path):
                self._faults[position : position + 1] = (
                    [replace(fault, calls=fault.calls - 1)] if fault.calls > 1 else []
                )
                return fault
        return None

    def as_json(self) -> list[dict[str, object]]:
        """What is still to come, in order; `calls` counts what is left."""
        return [dict(vars(fault)) for fault in self._faults]

    def clear(self) -> None:
        """Take back all orders."""
        self._faults.clear()


def read_fault(data: object) -> Fault:
    """The order that a JSON body gives; raises FaultError that names the field at fault."""
    if not isinstance(data, dict):
        raise FaultError('a fault is a JSON object such as {"calls": 3, "status": 500}')
    if unknown := sorted(str(name) for name in data.keys() - FIELDS):
        raise FaultError(f"unknown field {unknown[0]!r}; there are {', '.join(sorted(FIELDS))}")
    delay_s = _seconds(data.get("delay_s", 0))
    only_late = data["status"] is None if "status" in data else delay_s > 0
    return Fault(
        calls=_whole_number(data, "calls", 1, range(1, MAX_CALLS + 1)),
        status=None if only_late else _whole_number(data, "status", 500, STATUS_RANGE),
        headers=_headers(data.get("headers") or {}),
        body=data.get("body"),
        method=(_text(data, "method") or "").upper() or None,
        path=_text(data, "path"),
        delay_s=delay_s,
        drop=_flag(data, "drop"),
    )


def _whole_number(data: dict[str, object], name: str, default: int, allowed: range) -> int:
    value = data.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        raise FaultError(f"{name} must be a whole number from {allowed.start} to {allowed.stop - 1}")
    return value


def _flag(data: dict[str, object], name: str) -> bool:
    value = data.get(name, False)
    if not isinstance(value, bool):
        raise FaultError(f"{name} must be true or false")
    return value


def _text(data: dict[str, object], name: str) -> str | None:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise FaultError(f"{name} must be text")
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_DELAY_S:
        raise FaultError(f"delay_s must be a number of seconds from 0 to {MAX_DELAY_S:.0f}")
    return float(value)


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise FaultError('headers must be an object such as {"Retry-After": "2"}')
    headers = {str(name): str(text) for name, text in value.items()}
    for name, text in headers.items():
        if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(text) or name.lower() in FRAMING:
            raise FaultError(f"header {name!r} cannot be sent")
    return headers
