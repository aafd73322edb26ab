"""Running one hook for one event: whether it may, what goes out, what is logged and counted of it.

Disabled and blocked hooks send nothing and leave no trace in the log; what could not be sent at all is
logged as an internal error. Nothing is ever retried.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from gitlab_emulator.hooks import redaction, request
from gitlab_emulator.hooks.auto_disabling import is_executable, note_failure, note_success
from gitlab_emulator.hooks.matching import event_header
from gitlab_emulator.hooks.model import HookEvent
from gitlab_emulator.hooks.placeholders import TemplateError, fill_template, fill_url
from gitlab_emulator.hooks.sending import (
    TIMEOUT_S,
    Answered,
    Broken,
    Refused,
    Sent,
    TimedOut,
    Unsendable,
    post,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx

    from gitlab_emulator.hooks.event_log import EventLog
    from gitlab_emulator.hooks.model import Hook
    from gitlab_emulator.hooks.recursion import Chains
    from gitlab_emulator.state import State

log = logging.getLogger("gitlab_emulator")

MAX_REQUEST_BYTES = 25 * 1024 * 1024
OVERSIZE = {"oversize": True}
INTERNAL_ERROR = "internal error"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event on its way to one hook.

    `trigger` is its name in the log (`push_hooks`), `body` its JSON before any template, `event_uuid`
    what the API call that led to it carried. `force` sends it even though the hook is disabled.
    """

    hook_id: int
    trigger: str
    body: bytes
    delivery_id: str
    event_uuid: str | None
    instance: str
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Done:
    """The outcome of a delivery: the receiver's status and body, or no status and why not."""

    status: int | None
    message: str


@dataclass(kw_only=True)
class Execution:
    """Carries out orders. `wall_clock` gives the unix time that receivers compare with their own clock."""

    state: State
    log: EventLog
    chains: Chains
    client: Callable[[Hook], httpx.AsyncClient]
    clock: Callable[[], datetime]
    wall_clock: Callable[[], float]
    version: request.Version
    changed: Callable[[], None]

    async def send(self, delivery: Delivery) -> Done:
        """Send it, unless the hook is gone, disabled or would go round in circles."""
        hook, now = self.state.hooks.get(delivery.hook_id), self.clock()
        if hook is None:
            return Done(status=None, message="Hook deleted")
        if not delivery.force and not is_executable(hook, now):
            return Done(status=None, message="Hook disabled")
        if self.chains.blocks(hook.id, delivery.event_uuid, now):
            log.info("hook %s is held back: it ran under this X-Gitlab-Event-UUID already", hook.id)
            return Done(status=None, message="Recursive webhook blocked")
        event_uuid = delivery.event_uuid or str(uuid4())
        self.chains.register(hook.id, event_uuid, now)
        headers, body, sent = await self._send(hook, delivery, event_uuid)
        if self.state.hooks.get(hook.id) is hook:
            self._note(hook, delivery, headers, body, sent)
        done = _outcome(fill_url(hook.url, hook.url_variables), sent)
        _tell(hook, delivery, sent)
        return done

    async def _send(
        self, hook: Hook, delivery: Delivery, event_uuid: str
    ) -> tuple[dict[str, str], bytes, Sent]:
        """The headers and the body that went out, or would have, and how that ended."""
        ids = request.DeliveryIds(delivery=delivery.delivery_id, event=event_uuid, request=str(uuid4()))
        body, why = delivery.body, None
        try:
            if hook.custom_webhook_template:
                body = request.encode(fill_template(hook.custom_webhook_template, json.loads(body)))
            if len(body) > MAX_REQUEST_BYTES:
                why = f"the body has {len(body)} bytes, more than {MAX_REQUEST_BYTES}"
        except TemplateError as error:
            body, why = b"{}", str(error)
        headers = request.headers(
            event=event_header(delivery.trigger),
            ids=ids,
            timestamp_s=int(self.wall_clock()),
            body=body,
            instance=delivery.instance,
            secrets=request.Secrets(token=hook.token, signing_token=hook.signing_token),
            version=self.version,
        )
        own = {name.lower() for name in headers}
        added = {name: value for name, value in hook.custom_headers.items() if name.lower() not in own}
        headers = {**added, **headers}
        if why is not None:
            return headers, body, Sent(ending=Unsendable(why=why), duration_ms=0)
        url = fill_url(hook.url, hook.url_variables)
        return headers, body, await post(self.client(hook), url, headers, body)

    def _note(self, hook: Hook, delivery: Delivery, headers: dict[str, str], body: bytes, sent: Sent) -> None:
        """Write it into the log, and count it."""
        now, ending = self.clock(), sent.ending
        answered = ending if isinstance(ending, Answered) else None
        oversize = len(body) > MAX_REQUEST_BYTES
        event = HookEvent(
            id=self.log.next_id(),
            hook_id=hook.id,
            created_at=now,
            url=redaction.without_userinfo(hook.url),
            url_digest=digest(hook),
            trigger=delivery.trigger,
            request_headers=redaction.request_headers(headers, custom=hook.custom_headers),
            request_data=OVERSIZE if oversize else redaction.without_emails(json.loads(body)),
            request_bytes=0 if oversize else len(body),
            response_headers=redaction.response_headers(answered.headers) if answered else {},
            response_body=redaction.truncated(answered.body, redaction.MAX_BODY_BYTES) if answered else "",
            response_status=str(answered.status) if answered else INTERNAL_ERROR,
            execution_duration=sent.duration_ms / 1000,
            internal_error_message=None if answered else _outcome(hook.url, sent).message,
        )
        self.log.add(event)
        if sent.counts_as_success:
            note_success(hook)
        else:
            note_failure(hook, now)
        self.changed()


def digest(hook: Hook) -> str:
    """Tells one address from another without showing it: of the URL with its variables filled in."""
    return hashlib.sha256(fill_url(hook.url, hook.url_variables).encode("utf-8", "replace")).hexdigest()


def _outcome(url: str, sent: Sent) -> Done:
    """What GitLab would say of this ending."""
    match sent.ending:
        case Answered(status=status, body=body):
            return Done(status=status, message=redaction.truncated(body, redaction.MAX_BODY_BYTES))
        case Refused():
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
            return Done(
                status=None,
                message=f"Failed to open TCP connection to {host}:{port} "
                f'(Connection refused - connect(2) for "{host}" port {port})',
            )
        case TimedOut():
            return Done(status=None, message=f"execution expired: no answer within {TIMEOUT_S:.0f} s")
        case Broken(why=why) | Unsendable(why=why):
            return Done(status=None, message=why)


def _tell(hook: Hook, delivery: Delivery, sent: Sent) -> None:
    status = sent.ending.status if isinstance(sent.ending, Answered) else INTERNAL_ERROR
    url = redaction.without_userinfo(hook.url)
    log.info("%s to %s: %s (%s ms)", event_header(delivery.trigger), url, status, sent.duration_ms)
