"""A rate limit that turns callers away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.gitlab_api.limits import RateLimit

if TYPE_CHECKING:
    from datetime import datetime

    import httpx


async def test_a_call_too_many_is_turned_away_with_the_time_to_wait(web: httpx.AsyncClient) -> None:
    """In plain text, as GitLab's rate limiter answers; nothing is done."""
    assert (await web.put("/-/rate_limit", json={"per_minute": 2})).json() == {"per_minute": 2}
    for left in ("1", "0"):
        answer = await web.get("/api/v4/version")
        assert (answer.status_code, answer.headers["RateLimit-Remaining"]) == (200, left)
    answer = await web.post("/api/v4/projects/1/issues", json={"title": "x"})
    assert (answer.status_code, answer.text) == (429, "Retry later\n")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["Retry-After"] == "44"  # it is a quarter past half past
    assert (answer.headers["RateLimit-Limit"], answer.headers["RateLimit-Observed"]) == ("2", "3")
    assert answer.headers["RateLimit-Name"] == "throttle_authenticated_api"
    await web.put("/-/rate_limit", json={"per_minute": None})
    assert len((await web.get("/api/v4/projects/1/issues")).json()) == 1


def test_every_account_has_its_own_count_and_each_minute_a_new_one(now: datetime) -> None:
    """So that one bot's calls do not turn away another's."""
    limit = RateLimit(1)
    assert [limit.count(one, now).too_many for one in (1, 1, 2, None, None)] == [
        *(False, True, False),
        *(False, True),
    ]
    assert not limit.count(1, now + timedelta(minutes=1)).too_many
    name = limit.count(None, now + timedelta(minutes=1)).headers["RateLimit-Name"]
    assert name == "throttle_unauthenticated_api"


@pytest.mark.parametrize("order", [{}, [], {"per_minute": 0}, {"per_minute": "5"}, {"per_minute": True}])
async def test_a_limit_that_makes_no_sense_is_refused(web: httpx.AsyncClient, order: object) -> None:
    """With a line that says what it may be."""
    answer = await web.put("/-/rate_limit", json=order)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("per_minute must be")
    assert (await web.get("/-/rate_limit")).json() == {"per_minute": None}
