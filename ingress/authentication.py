"""Whether a request comes from our GitLab: by signing token (GitLab 19 and later) or by secret token.

Rule: pure, and asked before anything of the body is parsed. All comparisons are of bytes and in
constant time. A signature that is present decides alone: a wrong one is never made up for by a
right secret token (GitLab's documentation on signing tokens; Standard Webhooks).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UNAUTHENTICATED: Final = "nobody (unauthenticated)"
_MAX_SIGNATURES: Final = 20
_MAX_TIMESTAMP_DIGITS: Final = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A secret and what may be said of it: ``name`` holds its position and its fingerprint's end."""

    name: str
    secret: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """All secrets that vouch for a sender. With none at all, everybody is believed."""

    secret_tokens: tuple[Key, ...] = ()
    signing_keys: tuple[Key, ...] = ()
    tolerance_s: int = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Authentic:
    """It is GitLab's; ``authenticated_by`` names the secret that says so, e.g. ``secret token 1 (…9f86)``."""

    authenticated_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NotAuthentic:
    """It is not; ``reason`` is a short slug for metrics, ``detail`` a line for whoever set up the hook."""

    reason: str
    detail: str


def make_keys(*, secret_tokens: tuple[str, ...], signing_keys: tuple[bytes, ...], tolerance_s: int) -> Keys:
    """Return the keys, named by position (from 1) and the last four characters of their SHA-256.

    :param signing_keys: decoded, see ``hookyard.settings.settings.decode_signing_token``.
    """
    tokens = tuple(token.encode() for token in secret_tokens)
    return Keys(
        secret_tokens=tuple(_key("secret token", place, secret) for place, secret in enumerate(tokens, 1)),
        signing_keys=tuple(_key("signing token", place, key) for place, key in enumerate(signing_keys, 1)),
        tolerance_s=tolerance_s,
    )


def _key(kind: str, position: int, secret: bytes) -> Key:
    return Key(name=f"{kind} {position} (…{hashlib.sha256(secret).hexdigest()[-4:]})", secret=secret)


def check(
    headers: Mapping[bytes, bytes], body: bytes, *, keys: Keys, now_s: float
) -> Authentic | NotAuthentic:
    """Decide whether the request is authentic.

    :param headers: lower-case names to raw values.
    :param body: exactly the bytes that were received.
    :param now_s: Unix time, seconds.
    """
    if keys.signing_keys and b"webhook-signature" in headers:
        return _check_signature(headers, body, keys, now_s)
    if not keys.secret_tokens and not keys.signing_keys:
        return Authentic(authenticated_by=UNAUTHENTICATED)
    token = headers.get(b"x-gitlab-token")
    if token is None:
        return NotAuthentic(
            reason="no_secret", detail="the request has neither a webhook-signature nor an X-Gitlab-Token"
        )
    if not keys.secret_tokens:
        return NotAuthentic(
            reason="no_signature",
            detail="only signed webhooks are taken: set the signing token on the webhook",
        )
    found = _first_match(keys.secret_tokens, lambda secret: hmac.compare_digest(secret, token))
    if found is None:
        return NotAuthentic(reason="wrong_token", detail="the X-Gitlab-Token is not one of ours")
    return Authentic(authenticated_by=found)


def sign(key: bytes, *, message_id: bytes, timestamp: bytes, body: bytes) -> bytes:
    """Return the ``v1`` signature: base64 of HMAC-SHA256 over ``id.timestamp.body`` (Standard Webhooks)."""
    digest = hmac.digest(key, b".".join((message_id, timestamp, body)), "sha256")
    return base64.b64encode(digest)


def _check_signature(
    headers: Mapping[bytes, bytes], body: bytes, keys: Keys, now_s: float
) -> Authentic | NotAuthentic:
    message_id = headers.get(b"webhook-id", b"")
    timestamp = headers.get(b"webhook-timestamp", b"")
    if not message_id or not timestamp:
        return NotAuthentic(
            reason="wrong_signature",
            detail="a webhook-signature needs webhook-id and webhook-timestamp beside it",
        )
    given = [
        entry[3:]
        for entry in headers[b"webhook-signature"].split(b" ")[:_MAX_SIGNATURES]
        if entry.startswith(b"v1,") and _is_base64(entry[3:])
    ]
    found = _first_match(
        keys.signing_keys,
        lambda key: _any_equal(given, sign(key, message_id=message_id, timestamp=timestamp, body=body)),
    )
    if found is None:
        return NotAuthentic(
            reason="wrong_signature",
            detail="the webhook-signature was not made with one of our signing tokens",
        )
    # after the signature, so that only the holder of the key learns what our clock says
    if not (timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS):
        return NotAuthentic(reason="stale", detail="the webhook-timestamp is not Unix time in seconds")
    if abs(now_s - int(timestamp)) > keys.tolerance_s:
        return NotAuthentic(
            reason="stale",
            detail=f"the webhook-timestamp is more than {keys.tolerance_s} s away from this machine's clock",
        )
    return Authentic(authenticated_by=found)


def _first_match(keys: tuple[Key, ...], matches: Callable[[bytes], bool]) -> str | None:
    """Return the name of the first key that matches; all are tried, so that time tells nothing."""
    names = [key.name for key in keys if matches(key.secret)]
    return names[0] if names else None


def _any_equal(given: list[bytes], expected: bytes) -> bool:
    return any([hmac.compare_digest(entry, expected) for entry in given])  # noqa: C419 - no early exit


def _is_base64(entry: bytes) -> bool:
    try:
        base64.b64decode(entry, validate=True)
    except binascii.Error:
        return False
    return True
