"""What `send` makes of its options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from gitlab_emulator.hooks.request import VERSIONS, DeliveryIds, Secrets, Version
from gitlab_emulator.outgoing import Outgoing, UnsendableError, headers, prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


@pytest.fixture
def prepared(now: datetime) -> Callable[..., Outgoing]:
    """`prepare` with every option left out that a test does not name."""

    def call(**options: Any) -> Outgoing:
        defaults: dict[str, Any] = {
            "sample": None,
            "event": None,
            "file_bytes": None,
            "amendments": [],
            "gitlab_url": "http://gitlab.test/",
            "secrets": Secrets(),
            "now": now,
        }
        return prepare(**{**defaults, **options})

    return call


def test_a_sample_comes_with_its_header(prepared: Callable[..., Outgoing]) -> None:
    """And with the address of the GitLab that it is said to come from."""
    delivery = prepared(sample="issue-open")
    assert (delivery.name, delivery.event, delivery.instance) == (
        "issue-open",
        "Issue Hook",
        "http://gitlab.test",
    )
    assert json.loads(delivery.body)["project"]["web_url"] == "http://gitlab.test/greenhouse/watering-can"


def test_a_file_goes_out_byte_for_byte(prepared: Callable[..., Outgoing]) -> None:
    """Whatever it holds: that is how a receiver's bad cases are tried."""
    delivery = prepared(event="Odd Hook", file_bytes=b"\xff{ not json")
    assert (delivery.name, delivery.event, delivery.body) == ("Odd Hook", "Odd Hook", b"\xff{ not json")


def test_a_file_may_be_changed_and_take_a_samples_header(prepared: Callable[..., Outgoing]) -> None:
    """Then it is read, and written anew."""
    delivery = prepared(sample="push", file_bytes=b'{ "a": 1 }', amendments=["b=2"])
    assert (delivery.event, delivery.body) == ("Push Hook", b'{"a":1,"b":2}')


def test_a_file_tells_its_event_by_its_kind(prepared: Callable[..., Outgoing]) -> None:
    """Unless another is named; a sample's name counts for more as well."""
    body = b'{"object_kind": "build"}'
    assert prepared(file_bytes=body).event == "Job Hook"
    assert prepared(file_bytes=body, event="Build Hook").event == "Build Hook"
    assert prepared(file_bytes=body, sample="push").event == "Push Hook"
    assert prepared(file_bytes=b"{}", amendments=["object_kind=push"]).event == "Push Hook"


@pytest.mark.parametrize("version", list(VERSIONS.values()), ids=list(VERSIONS))
def test_headers_are_those_of_the_version(prepared: Callable[..., Outgoing], version: Version) -> None:
    """Its name, and the ids that it knows."""
    delivery = prepared(sample="push", version=version)
    ids = DeliveryIds(delivery="d-1", event="e-1", request="r-1")
    sent = headers(delivery, ids=ids, timestamp_s=1_700_000_000)
    assert sent["User-Agent"] == f"GitLab/{version.name}"
    assert ("Idempotency-Key" in sent) is version.idempotency_key
    assert ("webhook-id" in sent) is version.standard_webhooks


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sample": "isue-open"}, "Did you mean issue-open?"),
        ({"sample": "isue-open"}, "--list"),
        ({}, "--list"),
        ({"event": "Push Hook"}, "--file"),
        ({"file_bytes": b"{}"}, "--event"),
        ({"file_bytes": b"["}, "--event"),
        ({"sample": "push", "amendments": ["x"]}, "path=value"),
        ({"sample": "push", "amendments": ["a=\udce9"]}, "utf-8"),
        ({"event": "Push Hook", "file_bytes": b"{", "amendments": ["a=1"]}, "valid JSON"),
        ({"sample": "push", "secrets": Secrets(signing_token="hunter2")}, "base64 of 32 bytes"),
    ],
)
def test_options_that_make_no_delivery_are_explained(
    prepared: Callable[..., Outgoing], options: dict[str, object], text: str
) -> None:
    """With what can be done about it, and without the secret."""
    with pytest.raises(UnsendableError) as caught:
        prepared(**options)
    assert text in str(caught.value)
    assert "hunter2" not in str(caught.value)
