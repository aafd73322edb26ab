"""What GitLab's log of a webhook says was missed. Rule: pure.

The log has a row for each request that GitLab made; the rows of one delivery have the same
``Idempotency-Key``, and any success among them counts. What was never attempted has no row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

REDACTED: Final = "[REDACTED]"
_OK: Final = range(200, 400)
_REFUSED: Final = frozenset({400, 411, 413, 414, 415, 431})
"""Answers that the same request would get again."""

_WRONG_SECRET: Final = 401
_ID_HEADERS: Final = ("webhook-id", "idempotency-key")
_EVENT_HEADER: Final = "x-gitlab-event"
_KEPT_HEADERS: Final = ("x-gitlab-event-uuid", "x-gitlab-webhook-uuid", "x-gitlab-instance", "user-agent")


class Fate(StrEnum):
    """What can be done about a delivery that GitLab's log has."""

    MISSED = "missed"
    LOST = "accepted, then lost"
    KNOWN = "in the ledger"
    DELIVERED = "delivered"
    REFUSED = "refused for good"
    GONE = "its payload is gone"
    NAMELESS = "without an id"


@dataclass(frozen=True, kw_only=True)
class Logged:
    """One delivery in GitLab's log, from the latest of its rows.

    ``row``: that row's number; ``status``: its answer, such as ``503`` or ``internal error``; ``at_ms``: when
    the first request was made (Unix ms), ``None`` where GitLab does not tell.
    """

    hook: int
    row: int
    delivery_id: str
    event: str
    status: str
    at_ms: int | None
    body: bytes
    headers: dict[str, str]
    fate: Fate
    redacted: bool


def sort_out(
    hook: int, rows: Iterable[Mapping[str, Any]], *, is_known: Callable[[str], bool]
) -> list[Logged]:
    """Return the deliveries of a hook's log, the oldest first.

    :param rows: as GitLab's API has them, in any order; one that moved meanwhile may be there twice.
    :param is_known: whether the ledger has a delivery of this id.
    """
    by_id: dict[str, list[Mapping[str, Any]]] = {}
    for row in {int(row["id"]): row for row in rows}.values():
        headers = _headers(row)
        found = next((headers[name] for name in _ID_HEADERS if headers.get(name)), f"row {row['id']}")
        by_id.setdefault(found, []).append(row)
    logged = [
        _logged(hook, one, sorted(same, key=lambda row: int(row["id"])), is_known)
        for one, same in by_id.items()
    ]
    return sorted(logged, key=lambda one: (one.at_ms is None, one.at_ms or 0, one.row))


def has_wrong_secret(rows: Iterable[Mapping[str, Any]], *, newest: int = 5) -> bool:
    """Return whether the newest requests were all refused with 401: the hook's secret is not ours."""
    latest = sorted(rows, key=lambda row: int(row["id"]), reverse=True)[:newest]
    return bool(latest) and all(_status(row) == _WRONG_SECRET for row in latest)


def _logged(
    hook: int,
    delivery_id: str,
    rows: list[Mapping[str, Any]],
    is_known: Callable[[str], bool],
) -> Logged:
    latest, headers = rows[-1], _headers(rows[-1])
    data = latest.get("request_data")
    times = [moment for row in rows if (moment := _moment_ms(row)) is not None]
    return Logged(
        hook=hook,
        row=int(latest["id"]),
        delivery_id=delivery_id,
        event=headers.get(_EVENT_HEADER, ""),
        status=str(latest.get("response_status")),
        at_ms=min(times, default=None),
        body=b"" if data is None else json.dumps(data, ensure_ascii=False).encode(errors="surrogatepass"),
        headers={name: headers[name] for name in _KEPT_HEADERS if name in headers},
        fate=_fate(delivery_id, rows, data, headers, is_known),
        redacted=any(_redacted(data)),
    )


def _fate(
    delivery_id: str,
    rows: list[Mapping[str, Any]],
    data: Any,
    headers: Mapping[str, str],
    is_known: Callable[[str], bool],
) -> Fate:
    was_delivered = any(_status(row) in _OK for row in rows)
    if delivery_id.startswith("row ") or not headers.get(_EVENT_HEADER):
        return Fate.DELIVERED if was_delivered else Fate.NAMELESS
    if is_known(delivery_id):
        return Fate.KNOWN
    if not data or (isinstance(data, dict) and data.get("oversize") is True and len(data) == 1):
        return Fate.GONE
    if was_delivered:
        return Fate.LOST
    return Fate.REFUSED if _status(rows[-1]) in _REFUSED else Fate.MISSED


def _headers(row: Mapping[str, Any]) -> dict[str, str]:
    given = row.get("request_headers")
    found = given.items() if isinstance(given, dict) else ()
    return {str(name).lower(): str(value) for name, value in found}


def _status(row: Mapping[str, Any]) -> int | None:
    text = str(row.get("response_status"))
    return int(text) if text.isdigit() else None


def _moment_ms(row: Mapping[str, Any]) -> int | None:
    """Return when a request was made: GitLab's time, or that of its signature."""
    try:
        return int(datetime.fromisoformat(str(row["created_at"])).timestamp() * 1000)
    except (KeyError, ValueError):
        stamp = _headers(row).get("webhook-timestamp", "")
        return int(stamp) * 1000 if stamp.isdigit() else None


def _redacted(data: Any) -> Iterator[bool]:
    """Yield for each value that GitLab has blacked out."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if value == REDACTED:
            yield True
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
