"""A delivery as GitLab puts it on the wire: its headers, by version, and its body's bytes.

Pure: ids, times and secrets are arguments. The headers: "Delivery headers" in
https://docs.gitlab.com/user/project/integrations/webhooks/ .
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from gitlab_emulator.hooks.signing import signature

HTML_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


@dataclass(frozen=True, kw_only=True)
class Version:
    """A GitLab, as far as its deliveries differ: `Idempotency-Key` came with 17.4, `webhook-*` with 19.0."""

    name: str
    idempotency_key: bool
    standard_webhooks: bool


VERSIONS = {
    "19.1": Version(name="19.1.0", idempotency_key=True, standard_webhooks=True),
    "18": Version(name="18.11.0", idempotency_key=True, standard_webhooks=False),
    "17.3": Version(name="17.3.0", idempotency_key=False, standard_webhooks=False),
}
NEWEST = VERSIONS["19.1"]


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What a hook proves itself with: a secret token, a signing token, both or neither."""

    token: str | None = field(default=None, repr=False)
    signing_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class DeliveryIds:
    """The three ids of a request. Only `delivery` stays the same when GitLab sends it again."""

    delivery: str
    event: str
    request: str


def headers(
    *,
    event: str,
    ids: DeliveryIds,
    timestamp_s: int,
    body: bytes,
    instance: str,
    secrets: Secrets,
    version: Version = NEWEST,
) -> dict[str, str]:
    """The headers of one delivery, as that GitLab spells and orders them.

    `event` is the kind (`Push Hook`), `instance` the address of this GitLab. A signing token counts only
    where GitLab knows such tokens; raises ValueError for one that is none.
    """
    sent = {"Content-Type": "application/json", "User-Agent": f"GitLab/{version.name}"}
    if version.idempotency_key:
        sent["Idempotency-Key"] = ids.delivery
    if version.standard_webhooks:
        sent |= {"webhook-id": ids.delivery, "webhook-timestamp": str(timestamp_s)}
    sent |= {
        "X-Gitlab-Event": event,
        "X-Gitlab-Webhook-UUID": ids.request,
        "X-Gitlab-Instance": instance,
        "X-Gitlab-Event-UUID": ids.event,
    }
    if secrets.token:
        sent["X-Gitlab-Token"] = secrets.token.replace("\r", "").replace("\n", "")
    if secrets.signing_token and version.standard_webhooks:
        sent["webhook-signature"] = signature(
            secrets.signing_token, delivery_id=ids.delivery, timestamp_s=timestamp_s, body=body
        )
    return sent


def encode(body: object) -> bytes:
    """A body as bytes: compact JSON, with the characters escaped that Rails escapes (`<`, `>`, `&` …)."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).translate(HTML_ESCAPES).encode()
