"""Authentication of requests, by signing token (GitLab 19 and later) or by secret token.

Rule: pure. What the headers show is judged before the body is read, a signature before anything of the
body is parsed. All comparisons are of bytes and in constant time. A signature that is present decides
alone: a right secret token does not make up for a wrong one (GitLab's documentation on signing tokens;
Standard Webhooks).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hookyard.settings.source_names import DEFAULT_SOURCE, origin
from ingress.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

UNAUTHENTICATED: Final = "nobody (unauthenticated)"
_MAX_SIGNATURES: Final = 20
_MAX_TIMESTAMP_DIGITS: Final = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """A secret and its public name, which holds its position and the end of its fingerprint.

    ``source``: the GitLab that has it.
    """

    name: str
    secret: bytes
    source: str = DEFAULT_SOURCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """All secrets; a request that matches any of them is accepted, and every request where there are none.

    :param tolerance_s: how far a signature's timestamp may be from this machine's clock.
    :param instances: where there are several GitLabs, the address of each by its source.
    """

    secret_tokens: tuple[Credential, ...] = ()
    signing_keys: tuple[Credential, ...] = ()
    tolerance_s: int = 300
    instances: Mapping[str, str] = field(default_factory=dict)


def make_credentials(
    *,
    secret_tokens: tuple[str, ...],
    signing_keys: tuple[bytes, ...],
    tolerance_s: int,
    source: str = DEFAULT_SOURCE,
) -> Credentials:
    """Return the credentials, named by position (from 1) and the last four characters of their SHA-256.

    :param signing_keys: decoded, see ``hookyard.settings.settings.decode_signing_token``.
    """
    tokens = tuple(token.encode() for token in secret_tokens)
    return Credentials(
        secret_tokens=tuple(
            _named("secret token", place, secret, source) for place, secret in enumerate(tokens, 1)
        ),
        signing_keys=tuple(
            _named("signing token", place, key, source) for place, key in enumerate(signing_keys, 1)
        ),
        tolerance_s=tolerance_s,
    )


def credentials_of_all(each: Iterable[Credentials], instances: Mapping[str, str]) -> Credentials:
    """Return the credentials of several GitLabs together.

    :param instances: the address of each by its source.
    """
    listed = [*each]
    return Credentials(
        secret_tokens=tuple(one for held in listed for one in held.secret_tokens),
        signing_keys=tuple(one for held in listed for one in held.signing_keys),
        tolerance_s=max(held.tolerance_s for held in listed),
        instances=instances,
    )


def _named(kind: str, position: int, secret: bytes, source: str) -> Credential:
    fingerprint = hashlib.sha256(secret).hexdigest()
    return Credential(name=f"{kind} {position} (…{fingerprint[-4:]})", secret=secret, source=source)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """Who sends a request: the name of the credential that it has, and the GitLab that this is of."""

    name: str
    source: str = DEFAULT_SOURCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A request whose signature is to be verified with its body."""

    message_id: bytes
    timestamp: bytes
    signatures: tuple[bytes, ...]


def authenticate(
    headers: Mapping[bytes, bytes], *, credentials: Credentials, now_s: float
) -> Sender | Signed | Refusal:
    """Return whose credential the headers show, e.g. ``secret token 1 (…9f86)``.

    :param headers: raw values by lower-case name.
    :param now_s: Unix time in seconds.
    :returns: what :func:`verify` needs where the body decides, the refusal where they show none.
    """
    if credentials.signing_keys and b"webhook-signature" in headers:
        return _signed(headers, credentials, now_s)
    if not credentials.secret_tokens and not credentials.signing_keys:
        return _NOBODY
    token = headers.get(b"x-gitlab-token")
    if token is None:
        detail = "the request has neither a webhook-signature nor an X-Gitlab-Token"
        return Refusal(status=401, reason="no_secret", detail=detail)
    if not credentials.secret_tokens:
        detail = "only signed webhooks are accepted: set the signing token on the webhook"
        return Refusal(status=401, reason="no_signature", detail=detail)
    sender = _first_match(credentials.secret_tokens, lambda secret: hmac.compare_digest(secret, token))
    if sender is None:
        detail = "the X-Gitlab-Token is not one of GL_SECRET; compare the webhook's secret token"
        return Refusal(status=401, reason="wrong_token", detail=detail)
    return contradiction(sender, headers, credentials) or sender


def contradiction(sender: Sender, headers: Mapping[bytes, bytes], credentials: Credentials) -> Refusal | None:
    """Return the refusal of a webhook that says it comes from another GitLab than its secret is of."""
    expected, said = credentials.instances.get(sender.source), headers.get(b"x-gitlab-instance")
    if expected is None or said is None or origin(said.decode("latin-1")) == origin(expected):
        return None
    detail = (
        f"the secret is that of {sender.source}, but X-Gitlab-Instance names another GitLab than {expected}"
    )
    return Refusal(status=401, reason="wrong_instance", detail=detail)


def verify(signed: Signed, body: bytes, *, credentials: Credentials) -> Sender | Refusal:
    """Return whose signing token *signed* was made with, for exactly these bytes."""
    sender = _first_match(
        credentials.signing_keys,
        lambda key: _any_equal(
            signed.signatures,
            sign(key, message_id=signed.message_id, timestamp=signed.timestamp, body=body),
        ),
    )
    if sender is None:
        detail = "the webhook-signature was not made with one of GL_SIGNING_TOKEN"
        return Refusal(status=401, reason="wrong_signature", detail=detail)
    return sender


def sign(key: bytes, *, message_id: bytes, timestamp: bytes, body: bytes) -> bytes:
    """Return the ``v1`` signature: base64 of HMAC-SHA256 over ``id.timestamp.body`` (Standard Webhooks)."""
    digest = hmac.new(key, b"%b.%b." % (message_id, timestamp), "sha256")
    digest.update(body)
    return base64.b64encode(digest.digest())


def _signed(headers: Mapping[bytes, bytes], credentials: Credentials, now_s: float) -> Signed | Refusal:
    message_id = headers.get(b"webhook-id", b"")
    timestamp = headers.get(b"webhook-timestamp", b"")
    if not message_id or not timestamp:
        detail = "a webhook-signature needs the headers webhook-id and webhook-timestamp beside it"
        return Refusal(status=401, reason="wrong_signature", detail=detail)
    if b"." in message_id:  # what is signed is id.timestamp.body, which could be split elsewhere then
        detail = "the webhook-id of a signed request must not contain a dot"
        return Refusal(status=401, reason="wrong_signature", detail=detail)
    if not (timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS):
        detail = "the webhook-timestamp is not Unix time in seconds"
        return Refusal(status=401, reason="stale", detail=detail)
    if abs(now_s - int(timestamp)) > credentials.tolerance_s:
        detail = (
            f"the webhook-timestamp is more than {credentials.tolerance_s} s away from this machine's clock"
        )
        return Refusal(status=401, reason="stale", detail=detail)
    signatures = tuple(
        entry[3:]
        for entry in headers[b"webhook-signature"].split(b" ", _MAX_SIGNATURES)[:_MAX_SIGNATURES]
        if entry.startswith(b"v1,") and _is_base64(entry[3:])
    )
    if not signatures:
        detail = "the webhook-signature holds none of version v1"
        return Refusal(status=401, reason="wrong_signature", detail=detail)
    return Signed(message_id=message_id, timestamp=timestamp, signatures=signatures)


def _first_match(credentials: tuple[Credential, ...], matches: Callable[[bytes], bool]) -> Sender | None:
    """Return whose the first match is; all are compared, so that timing reveals nothing."""
    found = [credential for credential in credentials if matches(credential.secret)]
    return Sender(name=found[0].name, source=found[0].source) if found else None


_NOBODY: Final = Sender(name=UNAUTHENTICATED)


def _any_equal(given: tuple[bytes, ...], expected: bytes) -> bool:
    return any([hmac.compare_digest(entry, expected) for entry in given])  # noqa: C419 - no early exit


def _is_base64(entry: bytes) -> bool:
    try:
        base64.b64decode(entry, validate=True)
    except binascii.Error:
        return False
    return True
