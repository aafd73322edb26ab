"""Lists: which page of them, and the headers that lead to the others.

Offset pagination as https://docs.gitlab.com/api/rest/#offset-based-pagination describes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from gitlab_emulator.gitlab_api import params
from gitlab_emulator.gitlab_api.call import Answer, Call, Json, bad_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from gitlab_emulator.state import Issue, MergeRequest, Note

PER_PAGE = 20
MAX_PER_PAGE = 100
ORDERS = (
    *("created_at", "updated_at", "title", "priority", "label_priority", "popularity"),
    *("due_date", "merged_at", "milestone_due", "relative_position", "weight"),
)

Item = TypeVar("Item")
Dated = TypeVar("Dated", "Issue", "MergeRequest", "Note")


def in_order(call: Call, items: Sequence[Dated]) -> list[Dated]:
    """The items in the order that `order_by` and `sort` (asc, desc) ask for.

    By what the emulator has no notion of, such as due_date, they are in the order of created_at.
    """
    by_update = params.choice(call.params, "order_by", *ORDERS) == "updated_at"
    descending = params.choice(call.params, "sort", "asc", "desc") != "asc"

    def age(item: Dated) -> tuple[datetime, int]:
        return (item.updated_at if by_update else item.created_at), item.id

    return sorted(items, key=age, reverse=descending)


def paged(call: Call, items: Sequence[Item], shape: Callable[[Item], Json]) -> Answer:
    """The page that `page` and `per_page` (20, at most 100) ask for, each item in its shape."""
    page = max(_number(call, "page", 1), 1)
    per_page = _number(call, "per_page", PER_PAGE)
    if per_page == 0:
        raise bad_parameter("per_page has a value not allowed")
    per_page = min(per_page, MAX_PER_PAGE) if per_page > 0 else PER_PAGE
    last = max(-(-len(items) // per_page), 1)
    shown = items[(page - 1) * per_page : page * per_page]
    before = page - 1 if page > 1 else None
    after = page + 1 if page < last else None
    links = {"prev": before, "next": after, "first": 1, "last": last}
    headers = {
        "X-Page": str(page),
        "X-Per-Page": str(per_page),
        "X-Prev-Page": str(before or ""),
        "X-Next-Page": str(after or ""),
        "X-Total": str(len(items)),
        "X-Total-Pages": str(last),
        "Link": ", ".join(_link(call, rel, to, per_page) for rel, to in links.items() if to),
    }
    return Answer(body=[shape(item) for item in shown], headers=headers)


def _number(call: Call, name: str, default: int) -> int:
    value = params.whole_number(call.params, name)
    return default if value is None else value


def _link(call: Call, rel: str, page: int, per_page: int) -> str:
    rest = [(name, value) for name, value in call.query if name not in ("page", "per_page")]
    query = urlencode([*rest, ("page", str(page)), ("per_page", str(per_page))])
    return f'<{call.url}?{query}>; rel="{rel}"'
