"""Headers and bytes of a delivery."""

from __future__ import annotations

import json

from gitlab_emulator.hooks.request import DeliveryIds, Secrets, encode, headers
from gitlab_emulator.hooks.signing import signature

IDS = DeliveryIds(delivery="d-1", event="e-1", request="r-1")
ALWAYS = {
    "Content-Type": "application/json",
    "User-Agent": "GitLab/19.1.0",
    "Idempotency-Key": "d-1",
    "webhook-id": "d-1",
    "webhook-timestamp": "1744578123",
    "X-Gitlab-Event": "Push Hook",
    "X-Gitlab-Webhook-UUID": "r-1",
    "X-Gitlab-Instance": "http://gitlab.test",
    "X-Gitlab-Event-UUID": "e-1",
}


def headers_with(secrets: Secrets) -> dict[str, str]:
    """The headers of one push with these secrets."""
    return headers(
        event="Push Hook",
        ids=IDS,
        timestamp_s=1744578123,
        body=b"{}",
        instance="http://gitlab.test",
        secrets=secrets,
    )


def test_without_secrets_there_is_neither_token_nor_signature() -> None:
    """Nothing but what GitLab always sends."""
    assert headers_with(Secrets()) == ALWAYS


def test_a_secret_token_goes_out_as_it_is() -> None:
    """But for line breaks, which GitLab strips."""
    assert headers_with(Secrets(token="se\r\ncret")) == {**ALWAYS, "X-Gitlab-Token": "secret"}


def test_a_signing_token_makes_a_signature_and_no_token_header() -> None:
    """A hook that only signs sends no X-Gitlab-Token."""
    token = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    made = signature(token, delivery_id="d-1", timestamp_s=1744578123, body=b"{}")
    assert headers_with(Secrets(signing_token=token)) == {**ALWAYS, "webhook-signature": made}


def test_secrets_do_not_show_themselves() -> None:
    """Not in a traceback, not in a log."""
    assert "hush" not in repr(Secrets(token="hush", signing_token="hush"))


def test_bodies_are_compact_and_escape_what_rails_escapes() -> None:
    """Other letters stay as they are."""
    assert encode({"a": "<é&>\u2028"}) == '{"a":"\\u003cé\\u0026\\u003e\\u2028"}'.encode()
    assert json.loads(encode({"a": ["<b>", None, 1.5]})) == {"a": ["<b>", None, 1.5]}
