"""How a command reaches the ledger: the settings that hold here, a connection, and errors in words.

What is set in the environment wins; what is not is taken from the ``hookyard up`` that runs in this
directory, so that a second terminal needs no environment.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from redis.exceptions import RedisError

from hookyard.cli.output.terminal import FAILED, WRONG_USE, stop
from hookyard.cli.up.directory import Here, UpDirectory
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.redis.client import close, is_redis_away, open_redis
from hookyard.settings.settings import Settings, SettingsError, load, variable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Answer = TypeVar("Answer")

_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command works: its settings, and the ``up`` they were completed from, if one runs here."""

    settings: Settings
    here: Here | None
    given: frozenset[str]

    @property
    def inherited(self) -> dict[str, str]:
        """The variables that were taken from the running ``up``."""
        environment = self.here.environment if self.here else {}
        return {name: value for name, value in environment.items() if name not in self.given}


def find_place() -> Place:
    """Return the settings that hold here.

    :raises SettingsError: naming every fault.
    """
    settings = load()
    given = frozenset(variable(field) for field in settings.model_fields_set)
    here = UpDirectory().running()
    place = Place(settings=settings, here=here, given=given)
    if not place.inherited:
        return place
    return Place(settings=load(**place.inherited), here=here, given=given)


def find_place_or_stop() -> Place:
    """Return the same; wrong settings end the command with exit code 2."""
    try:
        return find_place()
    except SettingsError as exc:
        stop(str(exc), WRONG_USE)


@dataclass(frozen=True, kw_only=True)
class Books:
    """The ledger, for reading and for orders."""

    ledger: Ledger
    listing: Listing


def with_books(work: Callable[[Books], Awaitable[Answer]]) -> Answer:
    """Open the ledger, do *work* with it, close it. Whatever Redis does wrong ends the command in words."""
    place = find_place_or_stop()
    try:
        return asyncio.run(_with_books(place.settings, work))
    except (RedisError, OSError) as exc:
        if isinstance(exc, BrokenPipeError):
            raise
        stop(redis_trouble(place, exc), FAILED)
    except ValueError as exc:  # a record of a newer version's
        stop(str(exc), FAILED)


async def _with_books(settings: Settings, work: Callable[[Books], Awaitable[Answer]]) -> Answer:
    redis = open_redis(settings.redis_url, timeout_s=_TIMEOUT_S)
    keys = LedgerKeys(prefix=settings.prefix)
    try:
        return await work(Books(ledger=Ledger(redis, keys), listing=Listing(redis, keys)))
    finally:
        await close(redis)


def redis_trouble(place: Place, exc: Exception) -> str:
    """Return why Redis cannot be asked, and what to do about it."""
    url = place.settings.masked_redis_url
    if not is_redis_away(exc):
        return f"Redis at {url} refuses: {exc}"
    why = f"Redis at {url} does not answer ({_brief(exc)})."
    if place.here is not None and "REDIS_URL" not in place.given:
        return f"{why}\nIt belongs to the `hookyard up` here (process {place.here.pid}): look at its output."
    if "REDIS_URL" in place.given:
        return f"{why}\nREDIS_URL is set to it: start that Redis, or correct REDIS_URL."
    return f"Nothing runs here: start `hookyard up` in this directory, or set REDIS_URL.\n{why}"


def _brief(exc: Exception) -> str:
    return (str(exc) or type(exc).__name__).strip().rstrip(".")
