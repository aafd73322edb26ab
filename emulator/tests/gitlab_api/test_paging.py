"""Lists in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

NOTES = "/api/v4/projects/1/issues/1/notes"


async def test_headers_lead_from_page_to_page(web: httpx.AsyncClient) -> None:
    """Totals, neighbours and links, with the rest of the query kept."""
    for number in range(4):
        await web.post(NOTES, json={"body": f"note {number}"})
    answer = await web.get(f"{NOTES}?sort=asc&per_page=2&page=2")
    assert [note["body"] for note in answer.json()] == ["note 1", "note 2"]
    names = ("X-Page", "X-Per-Page", "X-Prev-Page", "X-Next-Page", "X-Total", "X-Total-Pages")
    assert [answer.headers[name] for name in names] == ["2", "2", "1", "3", "5", "3"]
    url = "http://gitlab.test/api/v4/projects/1/issues/1/notes?sort=asc"
    assert {rel: link["url"] for rel, link in answer.links.items()} == {
        "prev": f"{url}&page=1&per_page=2",
        "next": f"{url}&page=3&per_page=2",
        "first": f"{url}&page=1&per_page=2",
        "last": f"{url}&page=3&per_page=2",
    }


async def test_the_last_page_has_no_next(web: httpx.AsyncClient) -> None:
    """Neither header nor link."""
    answer = await web.get(NOTES)
    assert answer.headers["X-Next-Page"] == ""
    assert "next" not in answer.links


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("page=x", "page is invalid"),
        ("per_page=1.5", "per_page is invalid"),
        ("per_page=0", "per_page has a value not allowed"),
        (f"page={'9' * 5000}", "page is invalid"),
    ],
)
async def test_pages_that_make_no_sense_are_refused(web: httpx.AsyncClient, query: str, error: str) -> None:
    """In GitLab's words."""
    answer = await web.get(f"{NOTES}?{query}")
    assert (answer.status_code, answer.json()) == (400, {"error": error})


@pytest.mark.parametrize(
    ("query", "page", "per_page"),
    [
        ("per_page=1000", "1", "100"),
        ("per_page=-1", "1", "20"),
        ("page=-3", "1", "20"),
        ("page=0", "1", "20"),
    ],
)
async def test_pages_out_of_range_are_brought_into_it(
    web: httpx.AsyncClient, query: str, page: str, per_page: str
) -> None:
    """At most 100 on a page, the first page at least."""
    answer = await web.get(f"{NOTES}?{query}")
    assert (answer.headers["X-Page"], answer.headers["X-Per-Page"]) == (page, per_page)


async def test_a_page_beyond_the_last_is_empty(web: httpx.AsyncClient) -> None:
    """Not an error."""
    answer = await web.get(f"{NOTES}?page=50")
    assert (answer.status_code, answer.json(), answer.headers["X-Total"]) == (200, [], "1")
