"""What the console works with: the ledger to read and to change, its own keys, who may sign in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hookyard.console.changes import Changes
from hookyard.console.identities import Directory, Entry, parse_entry
from hookyard.console.orders import Orders
from hookyard.console.sessions import Sessions
from hookyard.console.store import Store
from hookyard.ledger.failure_groups import Failures
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import Ledger
from hookyard.ledger.rates import Rates
from hookyard.ledger.reader import Listing
from hookyard.ledger.search import Search
from hookyard.redis.client import open_redis

if TYPE_CHECKING:
    from arq.connections import ArqRedis
    from pydantic import SecretStr

    from hookyard.settings.settings import Settings

_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that routes use."""

    settings: Settings
    redis: ArqRedis
    keys: LedgerKeys
    ledger: Ledger
    listing: Listing
    search: Search
    failures: Failures
    rates: Rates
    store: Store
    orders: Orders
    changes: Changes
    directory: Directory
    sessions: Sessions


def make_services(settings: Settings) -> Services:
    """Return what a console with these settings works with; the caller closes ``redis``."""
    redis = open_redis(settings.redis_url, timeout_s=_TIMEOUT_S)
    keys = LedgerKeys(prefix=settings.prefix)
    ledger = Ledger(redis, keys)
    search, store = Search(redis, keys), Store(redis, settings.prefix)
    directory = Directory(
        _entries(settings.console_users, is_token=False), _entries(settings.console_tokens, is_token=True)
    )
    secret = (
        settings.console_secret.get_secret_value() if settings.console_secret else secrets.token_urlsafe(32)
    )
    return Services(
        settings=settings,
        redis=redis,
        keys=keys,
        ledger=ledger,
        listing=Listing(redis, keys),
        search=search,
        failures=Failures(redis, keys),
        rates=Rates(redis, keys),
        store=store,
        orders=Orders(redis, ledger, search, store),
        changes=Changes(redis, keys),
        directory=directory,
        sessions=Sessions(directory, secret, secure=settings.console_secure),
    )


def console_faults(settings: Settings) -> list[str]:
    """Return what keeps a console from starting although each setting is valid."""
    faults = []
    for variable, entries, is_token in (
        ("HOOKYARD_CONSOLE_USERS", settings.console_users, False),
        ("HOOKYARD_CONSOLE_TOKENS", settings.console_tokens, True),
    ):
        names: set[str] = set()
        for position, entry in enumerate(entries, 1):
            try:
                parsed = parse_entry(entry.get_secret_value(), is_token=is_token)
            except ValueError as exc:
                faults.append(f"{variable}: entry {position} {exc}")
                continue
            if parsed.name in names:
                faults.append(f"{variable}: {parsed.name} stands there twice")
            names.add(parsed.name)
    if not (settings.console_users or settings.console_tokens or settings.console_link):
        faults.append(
            "nobody could sign in to the console: set HOOKYARD_CONSOLE_USERS to what "
            "`hookyard credentials` prints"
        )
    return faults


def _entries(entries: tuple[SecretStr, ...], *, is_token: bool) -> list[Entry]:
    return [parse_entry(entry.get_secret_value(), is_token=is_token) for entry in entries]
