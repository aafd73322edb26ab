"""What GitLab's log says was missed."""

from __future__ import annotations

import json

import pytest

from hookyard.gitlab.missed import Fate, has_wrong_secret, sort_out

BODY = {"object_kind": "push", "user_email": "a@b"}


def a_row(number, status="503", delivery="d-1", data=None, **changed):
    return {
        "id": number,
        "request_headers": {"Idempotency-Key": delivery, "X-Gitlab-Event": "Push Hook"},
        "request_data": BODY if data is None else data,
        "response_status": status,
        "created_at": f"2026-01-31T12:00:{number % 60:02}Z",
        **changed,
    }


def fates(*rows, known=()):
    return {one.delivery_id: one.fate for one in sort_out(1, rows, is_known=known.__contains__)}


@pytest.mark.parametrize(
    ("rows", "fate"),
    [
        ([a_row(1)], Fate.MISSED),
        ([a_row(1, "internal error")], Fate.MISSED),
        ([a_row(1, "429")], Fate.MISSED),
        ([a_row(1), a_row(2, "202")], Fate.LOST),
        ([a_row(2, "202"), a_row(1), a_row(1)], Fate.LOST),
        ([a_row(1, "302")], Fate.LOST),
        ([a_row(1, "413")], Fate.REFUSED),
        ([a_row(1, data={"oversize": True})], Fate.GONE),
        ([a_row(1, data={})], Fate.GONE),
    ],
)
def test_rows_of_one_delivery_decide_together(rows, fate):
    assert fates(*rows) == {"d-1": fate}


def test_what_the_ledger_has_is_not_missed():
    assert fates(a_row(1), known={"d-1"}) == {"d-1": Fate.KNOWN}


def test_a_gitlab_that_sends_no_ids_cannot_be_matched():
    row = a_row(1)
    del row["request_headers"]["Idempotency-Key"]
    assert list(fates(row).values()) == [Fate.NAMELESS]


def test_the_oldest_comes_first_and_blacked_out_values_are_noted():
    found = sort_out(
        1,
        [a_row(9, delivery="late"), a_row(2, delivery="early", data={"commits": [{"email": "[REDACTED]"}]})],
        is_known=lambda _id: False,
    )
    assert [(one.delivery_id, one.redacted) for one in found] == [("early", True), ("late", False)]
    assert json.loads(found[1].body) == BODY
    assert found[0].at_ms == 1769860802000


def test_a_wrong_secret_shows_in_the_newest_rows_only():
    assert has_wrong_secret([a_row(n, "401") for n in range(1, 9)])
    assert not has_wrong_secret([a_row(9, "202"), *(a_row(n, "401") for n in range(1, 9))])
    assert not has_wrong_secret([])


@pytest.mark.parametrize("row", [{"id": 1}, {"id": 1, "request_headers": None, "created_at": "yesterday"}])
def test_a_row_that_lacks_most_is_no_error(row):
    assert list(fates(row).values()) == [Fate.NAMELESS]
