"""Keeps a worker's leases: renews them every third of their length, from a thread of its own.

The thread has its own connection to Redis and does not need the event loop, so that a handler which
blocks the loop does not lose the other deliveries of its worker.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from hookyard.ledger.leases import renew, renew_script
from hookyard.redis.client import open_sync_redis
from hookyard.redis.errors import is_redis_away
from hookyard.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookyard.ledger.keys import LedgerKeys
    from worker.watchdog import Watchdog

log = logs.get_logger("worker")

_RETRY_SHARE = 10


class LeaseKeeper:
    """The leases that a worker holds.

    ``on_lost`` is called from the thread with pairs of delivery id and token whose lease is lost;
    ``watchdog`` may have it stop renewing while the event loop is stuck.
    """

    def __init__(
        self,
        url: str,
        keys: LedgerKeys,
        *,
        lease_ms: int,
        timeout_s: float,
    ) -> None:
        self._redis = open_sync_redis(url, timeout_s=timeout_s)
        self._keys = keys
        self._lease_ms = lease_ms
        self.watchdog: Watchdog | None = None
        self.on_lost: Callable[[list[tuple[str, str]]], None] = lambda _lost: None
        self._held: dict[str, tuple[str, float]] = {}  # token, and until when it surely holds (monotonic)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing; what is still held falls due when its lease ends."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._redis.close()

    def fault(self) -> str | None:
        """Return why this worker is as good as dead, or ``None``."""
        stuck = self.watchdog is not None and self.watchdog.has_given_up
        return "a handler blocks the event loop; the log names it" if stuck else None

    def hold(self, delivery_id: str, token: str, *, since: float) -> None:
        """Renew this lease from now on.

        :param since: when it was asked for, on the monotonic clock; it began at that time or later.
        """
        with self._lock:
            self._held[delivery_id] = (token, since + self._lease_ms / 1000)

    def renewed(self, delivery_id: str, token: str, *, since: float) -> None:
        """Note that it was prolonged by other means (the ledger's ``note``)."""
        with self._lock:
            if self._held.get(delivery_id, ("", 0.0))[0] == token:
                self._held[delivery_id] = (token, since + self._lease_ms / 1000)

    def surely_holds(self, delivery_id: str, token: str) -> bool:
        """Return whether no other worker can have it, as far as this machine's clock can tell.

        ``False`` after this process was paused, or Redis away, for longer than a lease.
        """
        held, until = self._held.get(delivery_id, ("", 0.0))
        return held == token and time.monotonic() < until

    def let_go(self, delivery_id: str, token: str) -> None:
        """Renew it no more."""
        with self._lock:
            if self._held.get(delivery_id, ("", 0.0))[0] == token:
                del self._held[delivery_id]

    def _keep(self) -> None:
        script = renew_script(self._redis)
        pause_s = third_s = self._lease_ms / 3000
        while not self._stopping.wait(pause_s):
            with self._lock:
                leases = [(delivery_id, token) for delivery_id, (token, _) in self._held.items()]
            pause_s = third_s
            if (self.watchdog and self.watchdog.is_stuck()) or not leases:
                continue
            since = time.monotonic()
            try:
                lost = renew(script, self._keys, leases, lease_ms=self._lease_ms)
            except Exception as exc:
                if not is_redis_away(exc):
                    log.exception("renewing leases failed")
                pause_s = third_s / _RETRY_SHARE  # so that they are renewed as soon as Redis is back
                continue
            for lease in lost:
                self.let_go(*lease)
            for lease in leases:
                self.renewed(*lease, since=since)
            if lost:
                self.on_lost(lost)
