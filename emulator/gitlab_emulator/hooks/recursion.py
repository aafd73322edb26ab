"""Recursion detection: deliveries that GitLab blocks because they would loop.

A receiver that sends the `X-Gitlab-Event-UUID` it got along with its own API calls lets GitLab see
which hooks that chain has run already: one that has is not run again, and none once there were
`MAX_HOOKS`. A chain is forgotten half an hour after its last delivery.
https://docs.gitlab.com/user/project/integrations/webhooks/#webhook-recursion-detection
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

MAX_HOOKS = 100
KEPT_FOR = timedelta(minutes=30)
MAX_CHAINS = 100_000
MAX_UUID_CHARS = 255


@dataclass(kw_only=True)
class _Chain:
    forgotten_at: datetime
    hook_ids: set[int] = field(default_factory=set)


class Chains:
    """What ran under which `X-Gitlab-Event-UUID`; bounded, the longest untouched go first."""

    def __init__(self) -> None:
        self._chains: OrderedDict[str, _Chain] = OrderedDict()

    def blocks(self, hook_id: int, event_uuid: str | None, now: datetime) -> bool:
        """Whether the hook must not run for a call that carried this UUID; one without never blocks."""
        chain = self._chains.get(event_uuid[:MAX_UUID_CHARS]) if event_uuid else None
        if chain is None or chain.forgotten_at <= now:
            return False
        return hook_id in chain.hook_ids or len(chain.hook_ids) >= MAX_HOOKS

    def register(self, hook_id: int, event_uuid: str, now: datetime) -> None:
        """The hook runs under this UUID."""
        key = event_uuid[:MAX_UUID_CHARS]
        while self._chains and next(iter(self._chains.values())).forgotten_at <= now:
            self._chains.popitem(last=False)
        chain = self._chains.setdefault(key, _Chain(forgotten_at=now))
        chain.hook_ids.add(hook_id)
        chain.forgotten_at = now + KEPT_FOR
        self._chains.move_to_end(key)
        if len(self._chains) > MAX_CHAINS:
            self._chains.popitem(last=False)
