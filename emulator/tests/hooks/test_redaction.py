"""What the event log does not tell."""

from __future__ import annotations

import pytest
from gitlab_emulator.hooks import redaction


def test_the_token_and_custom_headers_lose_their_values() -> None:
    sent = {"X-Gitlab-Token": "hush", "authorization": "Bearer hush", "X-Gitlab-Event": "Push Hook"}
    assert redaction.request_headers(sent, custom=["Authorization"]) == {
        "X-Gitlab-Token": "[REDACTED]",
        "authorization": "[REDACTED]",
        "X-Gitlab-Event": "Push Hook",
    }


def test_values_that_are_addresses_are_blacked_out_and_texts_with_addresses_are_not() -> None:
    data = {
        "user": {"email": "fern@greenhouse.example"},
        "cc": ["a@b", 1, None],
        "note": "ask fern@x.example",
    }
    assert redaction.without_emails(data) == {
        "user": {"email": "[REDACTED]"},
        "cc": ["[REDACTED]", 1, None],
        "note": "ask fern@x.example",
    }
    assert data["cc"] == ["a@b", 1, None]


def test_an_address_loses_user_and_password() -> None:
    assert redaction.without_userinfo("https://bot:hush@x.test/a@b") == "https://*****:*****@x.test/a@b"
    assert redaction.without_userinfo("https://x.test/a@b") == "https://x.test/a@b"


def test_fifty_headers_of_a_kilobyte_are_kept() -> None:
    received = {f"x-{number}": "é" * 2000 for number in range(60)}
    kept = redaction.response_headers(received)
    assert list(kept) == [f"X-{number}" for number in range(50)]
    assert all(len(value.encode()) <= 1024 and value.endswith("…") for value in kept.values())


@pytest.mark.parametrize(
    ("text", "kept"), [("abc", "abc"), ("abcdefgh", "abcdefgh"), ("abcdefghi", "abcde…")]
)
def test_a_text_is_cut_to_its_bytes(text: str, kept: str) -> None:
    assert redaction.truncated(text, 8) == kept
