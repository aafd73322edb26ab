"""The signature of a delivery."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from gitlab_emulator.hooks.signing import signature, signing_key
from standardwebhooks import Webhook

TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
DELIVERY_ID = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"
BODY = '{"object_kind":"push","event_name":"push","message":"héllo \\u003c"}'.encode()


def test_the_known_vector_comes_out() -> None:
    """Token, id, time and body as written down from GitLab's algorithm."""
    made = signature(TOKEN, delivery_id=DELIVERY_ID, timestamp_s=1744578123, body=BODY)
    assert made == "v1,8Ko215MQEYdEItBJ6xNFkwrWHCErfGXHU/hL5D0bUNE="


def test_an_independent_library_accepts_it() -> None:
    """The one that the Standard Webhooks project publishes."""
    timestamp_s = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": DELIVERY_ID,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signature(TOKEN, delivery_id=DELIVERY_ID, timestamp_s=timestamp_s, body=BODY),
    }
    assert Webhook(TOKEN).verify(BODY, headers)["object_kind"] == "push"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "whsec_",
        "whsec_not base64!",
        "whsec_é",
        "whsec_" + base64.b64encode(b"x" * 31).decode(),
        "whsec_" + base64.b64encode(b"x" * 33).decode(),
    ],
)
def test_what_is_no_signing_token_is_refused_without_being_repeated(token: str) -> None:
    """The text says what one looks like, and not what was given."""
    with pytest.raises(ValueError, match="whsec_ followed by the base64 of 32 bytes") as caught:
        signing_key(token)
    assert not token.removeprefix("whsec_") or token not in str(caught.value)
