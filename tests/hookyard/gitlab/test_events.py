"""The event that we read is the one that gidgetlab reads, or goes wrong as it does there."""

from __future__ import annotations

import json

import pytest
from gidgetlab.sansio import Event
from hypothesis import given
from hypothesis import strategies as st

from hookyard.gitlab.events import read_event

JSON = "application/json"

ODD = [
    b"",
    b"null",
    b" [] ",
    b"NaN",
    b'{"a": -Infinity}',
    b"1e999",
    b"1" * 30,
    b"-" + b"9" * 25,
    b"1" * 4301,
    b"1" * 400 + b".5",
    b"-0",
    b"-0.0",
    b"9007199254740993.0",
    b"5e-324",
    b'"\\ud83d"',
    b'{"\\ud83d": 1}',
    b'"\\ud83d\\ude00"',
    b'"\\u0000\\/"',
    b'{"a": 1, "a": 2}',
    b"\xef\xbb\xbf{}",
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"a\x01"',
    b"[1,]",
    b"{} x",
    b"01",
    b"[" * 400 + b"]" * 400,
    b"[" * 100_000,
]


def outcome(read, *args):
    """What reading comes to, so that two can be compared; repr tells -0.0 and NaN apart."""
    try:
        event = read(*args)
    except Exception as exc:  # noqa: BLE001 - which one it is, is what is compared
        return type(exc), getattr(exc, "status_code", None)
    return repr(event.data), event.event


def theirs(name, content_type, body):
    return Event.from_http({"x-gitlab-event": name, "content-type": content_type}, body)


@pytest.mark.parametrize("body", ODD, ids=lambda body: repr(body[:20]))
def test_odd_bodies_are_read_as_gidgetlab_reads_them(body):
    assert outcome(read_event, "Push Hook", JSON, body) == outcome(theirs, "Push Hook", JSON, body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_any_json_is_read_as_gidgetlab_reads_it(value, is_ascii):
    body = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    assert outcome(read_event, "Push Hook", JSON, body) == outcome(theirs, "Push Hook", JSON, body)


@given(VALUES, st.data())
def test_damaged_json_is_read_as_gidgetlab_reads_it(value, data):
    body = bytearray(json.dumps(value).encode())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    assert outcome(read_event, "Push Hook", JSON, bytes(body)) == outcome(
        theirs, "Push Hook", JSON, bytes(body)
    )


@pytest.mark.parametrize(
    "content_type",
    [JSON, "application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain"],
)
def test_other_content_types_are_gidgetlabs_business(content_type):
    body = b"payload=%7B%22a%22%3A1%7D"
    assert outcome(read_event, "x", content_type, body) == outcome(theirs, "x", content_type, body)
