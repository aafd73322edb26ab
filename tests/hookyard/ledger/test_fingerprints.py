"""Which failures count as the same."""

from __future__ import annotations

import pytest

from hookyard.ledger.fingerprints import error_class, fingerprint, own_place, without_values

TRACE = """Traceback (most recent call last):
  File "/srv/{release}/mybot/labels.py", line {line}, in find_label
    return names[name]
  File "/opt/venv/lib/python3.11/site-packages/httpx/_client.py", line 99, in request
    raise error
KeyError: 'bug'
"""


def a_print(*, handler="bot:label", error="KeyError: 'bug'", release="v1", line=12):
    return fingerprint(handler, error, TRACE.format(release=release, line=line))


def test_a_new_release_and_a_moved_line_make_no_new_failure():
    assert a_print() == a_print(release="v2", line=40)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("404: issue 17 not found", "404: issue 4711 not found"),
        ("no commit 3f2a9c1d0b", "no commit 9b8c7d6e5f4a"),
        ("id 0d4f9d1e-2b1c-4c5d-8e9f-001122334455", "id 11111111-2222-3333-4444-555555555555"),
    ],
)
def test_numbers_and_ids_make_no_difference(one, other):
    assert a_print(error=f"ValueError: {one}") == a_print(error=f"ValueError: {other}")


@pytest.mark.parametrize(
    "changed", [{"handler": "bot:other"}, {"error": "ValueError: 'bug'"}, {"error": "KeyError: 'x'"}]
)
def test_handler_class_and_message_make_a_difference(changed):
    assert a_print() != a_print(**changed)


def test_the_place_is_the_innermost_frame_of_the_bot():
    place = own_place(TRACE.format(release="v1", line=12))
    assert (place.path, place.line, place.function) == ("/srv/v1/mybot/labels.py", 12, "find_label")
    assert own_place(None) is None


def test_of_chained_exceptions_the_last_one_counts():
    first = TRACE.format(release="v1", line=1)
    last = first.replace("find_label", "give_up")
    assert own_place(f"{first}\nDuring handling of the above exception:\n\n{last}").function == "give_up"


@pytest.mark.parametrize(
    ("error", "expected"), [("KeyError: 'x'", "KeyError"), ("a.B", "a.B"), ("it ran long", ""), ("", "")]
)
def test_the_class_begins_the_error(error, expected):
    assert error_class(error) == expected


def test_words_stay():
    assert without_values("no deadbeef decade in 2024") == "no deadbeef decade in 0"
