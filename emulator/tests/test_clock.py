"""The emulator's own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from gitlab_emulator.clock import LATEST, Clock, ClockError

if TYPE_CHECKING:
    import httpx

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class World:
    """A clock on a wall, that a test turns."""

    now = NOON

    def __call__(self) -> datetime:
        return self.now


def test_it_shows_the_worlds_time_until_it_is_moved() -> None:
    world = World()
    clock = Clock(world)
    world.now += timedelta(seconds=5)
    assert clock() == NOON + timedelta(seconds=5)
    clock.set(forward_s=60)
    assert clock() == NOON + timedelta(seconds=65)


def test_it_runs_faster_from_the_moment_on_at_which_it_is_told_to() -> None:
    world = World()
    clock = Clock(world)
    world.now += timedelta(seconds=10)
    clock.set(speed=60)
    world.now += timedelta(seconds=2)
    assert clock() == NOON + timedelta(seconds=10 + 120)
    clock.set(speed=1)
    world.now += timedelta(seconds=1)
    assert clock() == NOON + timedelta(seconds=10 + 120 + 1)


@pytest.mark.parametrize(
    "step",
    [{"forward_s": -1}, {"forward_s": 1e12}, {"forward_s": float("nan")}, {"speed": 0}, {"speed": 1e9}],
)
def test_it_goes_neither_back_nor_mad(step: dict[str, float]) -> None:
    clock = Clock(World())
    with pytest.raises(ClockError):
        clock.set(**step)
    assert clock() == NOON


def test_it_stops_where_dates_end() -> None:
    clock = Clock(World())
    for _ in range(1000):
        clock.set(forward_s=10 * 365 * 86_400)
    assert clock() == LATEST


async def test_a_post_moves_it(web: httpx.AsyncClient, now: datetime) -> None:
    answer = await web.post("/-/clock", json={"forward_s": 60, "speed": 2})
    assert answer.json() == {"now": (now + timedelta(seconds=60)).isoformat(), "speed": 2}
    assert (await web.get("/-/clock")).json() == answer.json()


@pytest.mark.parametrize(
    "order",
    ["[]", '{"back": 1}', '{"forward_s": "60"}', '{"forward_s": true}', '{"forward_s": -5}', "{", "\xff"],
)
async def test_an_order_that_makes_no_sense_is_refused(web: httpx.AsyncClient, order: Any) -> None:
    answer = await web.post("/-/clock", content=order.encode("latin-1"))
    assert answer.status_code == 400
    assert answer.json()["error"]
