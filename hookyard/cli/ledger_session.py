"""Access to the ledger for one command, with connection errors explained."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from redis.exceptions import RedisError

from hookyard.cli.context import CliContext, context_or_exit
from hookyard.cli.output.terminal import EXIT_FAILED, stop
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.redis.client import close, open_redis
from hookyard.redis.errors import is_redis_away

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hookyard.settings.settings import Settings

Answer = TypeVar("Answer")

_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class LedgerSession:
    """The ledger, to read (``listing``) and to change (``ledger``)."""

    ledger: Ledger
    listing: Listing


def with_ledger(work: Callable[[LedgerSession], Awaitable[Answer]]) -> Answer:
    """Return what *work* does with the ledger; a Redis error ends the command with an explanation."""
    context = context_or_exit()
    try:
        return asyncio.run(_with_ledger(context.settings, work))
    except (RedisError, OSError) as exc:
        if isinstance(exc, BrokenPipeError):
            raise
        stop("\n".join(connection_error(context, exc)), EXIT_FAILED)
    except ValueError as exc:  # a record that a newer version wrote
        stop(str(exc), EXIT_FAILED)


async def _with_ledger(settings: Settings, work: Callable[[LedgerSession], Awaitable[Answer]]) -> Answer:
    redis = open_redis(settings.redis_url, timeout_s=_TIMEOUT_S)
    keys = LedgerKeys(prefix=settings.prefix)
    try:
        return await work(LedgerSession(ledger=Ledger(redis, keys), listing=Listing(redis, keys)))
    finally:
        await close(redis)


def connection_error(context: CliContext, exc: Exception) -> tuple[str, str]:
    """Return why Redis cannot be used, and what to do about it."""
    url = context.settings.masked_redis_url
    if not is_redis_away(exc):
        return f"Redis at {url} refused the command: {exc}", "Correct REDIS_URL, or that Redis's settings."
    why = f"Redis at {url} does not answer ({_brief(exc)})."
    if "REDIS_URL" in context.given:
        return why, "REDIS_URL points to it: start that Redis, or correct REDIS_URL."
    if context.stack is not None:
        owner = f"the `hookyard up` in this directory (process {context.stack.pid})"
        return why, f"It belongs to {owner}: see its output."
    return why, "Nothing runs here: start `hookyard up` in this directory, or set REDIS_URL."


def _brief(exc: Exception) -> str:
    return (str(exc) or type(exc).__name__).strip().rstrip(".")
