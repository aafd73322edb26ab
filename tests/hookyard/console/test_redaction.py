"""What is hidden of a body."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookyard.console.redaction import HIDDEN, redact


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"user": {"name": "Ann", "id": 7}}, {"user": {"name": HIDDEN, "id": 7}}),
        ({"project": {"name": "App"}}, {"project": {"name": "App"}}),
        ({"assignees": [{"name": "Ann"}]}, {"assignees": [{"name": HIDDEN}]}),
        ({"description": "ask ann@example.com"}, {"description": f"ask {HIDDEN}"}),
        ({"runners_token": "x", "token": 5}, {"runners_token": HIDDEN, "token": HIDDEN}),
        ({"note": "glpat-abcdefghijklmnop"}, {"note": HIDDEN}),
        ({"all": [{"key": "A", "secret_value": "b"}]}, {"all": [{"key": "A", "secret_value": HIDDEN}]}),
        ({"user_email": "", "password": None}, {"user_email": "", "password": None}),
        ([1, None, True, "x"], [1, None, True, "x"]),
    ],
)
def test_what_is_left(body, left):
    assert json.loads(redact(json.dumps(body).encode())) == left


def test_what_is_no_json_loses_its_addresses():
    assert redact(b"\xff ann@example.com") == f"\ufffd {HIDDEN}".encode()


plain = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_json_stays_json_of_the_same_shape(data):
    redacted = json.loads(redact(json.dumps(data).encode()))
    assert type(redacted) is type(data) or redacted == HIDDEN
    if isinstance(data, dict | list):
        assert len(redacted) == len(data)


@pytest.mark.parametrize("body", [b"x" * 5_000_000, b"a." * 2_500_000, b"x@" * 2_500_000])
def test_no_body_takes_longer_than_its_length(body):
    """Tried again at each letter, a word of millions of letters would never be done."""
    redact(body)
    redact(json.dumps({"a": body.decode()}).encode())
