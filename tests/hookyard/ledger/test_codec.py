"""What is written to Redis is read back the same; what this version cannot read is a ValueError."""

from __future__ import annotations

import pickle
import random

import lz4.frame
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookyard.ledger.codec import (
    pack_body,
    pack_meta,
    pack_run,
    unpack_body,
    unpack_delivery,
    unpack_record,
    unpack_run,
)
from hookyard.ledger.records import Attempt, Delivery, Ending, Outcome, Record, Run, Standing, State
from tests.fakes import a_delivery

TEXT = st.text()  # without half surrogate pairs, as UTF-8 wants it
MS = st.integers(0, 2**53)

DELIVERIES = st.builds(
    Delivery,
    id=st.just("d-1"),
    event=TEXT,
    received_ms=MS,
    content_type=st.none() | TEXT,
    body=st.binary(),
    headers=st.dictionaries(TEXT, TEXT, max_size=3),
    source=st.just("default") | TEXT,
    project=st.none() | TEXT.filter(bool),
    object=st.none() | TEXT.filter(bool),
    authenticated_by=TEXT,
    trace=st.none() | TEXT.filter(bool),
)
ATTEMPTS = st.builds(
    Attempt,
    handler=TEXT,
    outcome=st.sampled_from(Outcome),
    number=st.integers(1, 100),
    started_ms=MS,
    took_ms=MS,
    final=st.booleans(),
    due_ms=st.none() | MS,
    error=st.none() | TEXT,
    traceback=st.none() | TEXT,
)
STANDINGS = st.builds(
    Standing,
    handler=TEXT,
    outcome=st.sampled_from(Outcome),
    run=st.integers(1, 100),
    attempt=st.integers(1, 100),
    final=st.booleans(),
    due_ms=st.none() | MS,
)
RUNS = st.builds(
    Run,
    number=st.integers(1, 100),
    worker=TEXT,
    started_ms=MS,
    ending=st.sampled_from(Ending),
    ended_ms=st.none() | MS,
    attempts=st.lists(ATTEMPTS, max_size=3).map(tuple),
    carried=st.lists(STANDINGS, max_size=3).map(tuple),
)


@given(DELIVERIES)
def test_a_delivery_comes_back_as_it_was(delivery):
    assert unpack_delivery("d-1", pack_meta(delivery), pack_body(delivery.body)) == delivery


@given(RUNS)
def test_a_try_comes_back_as_it_was(run):
    assert unpack_run(pack_run(run)) == run


MAGIC = b"\x04\x22\x4d\x18"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"x" * 199,
        b"x" * 200,
        b"x" * 100_000,
        bytes(range(256)) * 2,
        MAGIC,
        MAGIC + b"not a frame",
        lz4.frame.compress(b"compressed already"),
        lz4.frame.compress(lz4.frame.compress(b"twice" * 1000)),
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_body_comes_back_as_it_was(body):
    assert unpack_body(pack_body(body)) == body


@given(st.binary(max_size=400), st.booleans())
def test_any_body_comes_back_as_it_was(tail, begins_like_a_frame):
    body = MAGIC + tail if begins_like_a_frame else tail
    assert unpack_body(pack_body(body)) == body


def test_only_a_body_that_becomes_smaller_is_compressed():
    assert len(pack_body(b"x" * 10_000)) < 100
    assert pack_body(b"x" * 100) == b"x" * 100
    incompressible = random.Random(7).randbytes(100_000)
    assert len(pack_body(incompressible)) <= len(incompressible)


def test_half_a_surrogate_pair_in_an_error_can_be_written():
    """A handler's error may quote JSON, which may hold one; UTF-8 may not, and a try must get written."""
    attempt = Attempt(
        handler="bot:push",
        outcome=Outcome.FAILED,
        number=1,
        started_ms=1,
        took_ms=1,
        final=False,
        error="bad title \ud83d",
        traceback="Traceback …\nValueError: bad title \ud83d",
    )
    run = Run(number=1, worker="w", started_ms=1, ending=Ending.SETTLED, attempts=(attempt,))
    (read,) = unpack_run(pack_run(run)).attempts
    assert read.error == "bad title \\ud83d"
    assert read.traceback.endswith("\\ud83d")


GARBAGE = [
    b"",
    b"\xc1",
    b"\xff\xff",
    msgspec.msgpack.encode(None),
    msgspec.msgpack.encode(17),
    msgspec.msgpack.encode("text"),
    msgspec.msgpack.encode([1, 2]),
    msgspec.msgpack.encode({}),
    msgspec.msgpack.encode({1: 2}),
    msgspec.msgpack.encode({"event": "x"}) + b"rest",
    msgspec.msgpack.encode({"event": "x", "received": 1, "headers": {}})[:-1],
    pickle.dumps({"event": "x"}),
]


@pytest.mark.parametrize("packed", GARBAGE, ids=lambda packed: repr(packed[:20]))
def test_what_is_no_delivery_is_a_value_error(packed):
    with pytest.raises(ValueError, match=r"."):
        unpack_delivery("d-1", packed)


def test_a_body_that_is_damaged_is_a_value_error():
    with pytest.raises(ValueError, match="d-1 cannot be read"):
        unpack_delivery("d-1", pack_meta(a_delivery()), pack_body(b"x" * 1000)[:-2])


@pytest.mark.parametrize(
    "packed",
    [
        *GARBAGE,
        msgspec.msgpack.encode({"ending": "settled", "attempts": []}),
        msgspec.msgpack.encode(
            {"number": 1, "worker": "w", "started_ms": 1, "ending": "new word", "attempts": []}
        ),
        msgspec.msgpack.encode(
            {"number": 1, "worker": "w", "started_ms": 1, "ending": "settled", "attempts": [7]}
        ),
        msgspec.msgpack.encode(
            {"number": 1, "worker": "w", "started_ms": 1, "ending": "settled", "attempts": 7}
        ),
        msgspec.msgpack.encode(
            {"number": 1, "worker": "w", "started_ms": 1, "ending": "settled", "attempts": [], "new": 1}
        ),
    ],
    ids=lambda packed: repr(packed[:20]),
)
def test_what_is_no_try_is_a_value_error(packed):
    with pytest.raises(ValueError, match=r"."):
        unpack_run(packed)


def stored(**changed):
    """The fields of a hash; ``None`` leaves one out."""
    fields = {"state": b"queued", "meta": pack_meta(a_delivery()), "body": b"{}"} | changed
    return {name.replace("__", ":").encode(): value for name, value in fields.items() if value is not None}


def a_run(number=1, **changed):
    return Run(**{"number": number, "worker": "w", "started_ms": 5, "ending": Ending.SETTLED, **changed})


def test_a_new_record_has_defaults():
    record = unpack_record("d-1", stored(), due_ms=7)
    assert isinstance(record, Record)
    assert (record.state, record.runs, record.claims, record.due_ms) == (State.QUEUED, 0, 0, 7)
    assert (record.round_from, record.done_from, record.history) == (1, 1, ())
    assert record.delivery.body == b"{}"


def test_a_body_that_was_not_fetched_is_empty():
    assert unpack_record("d-1", stored(body=None)).delivery.body == b""


def test_tries_stand_in_order():
    fields = stored(**{f"run__{number}": pack_run(a_run(number)) for number in (10, 9, 2)})
    assert [one.number for one in unpack_record("d-1", fields).history] == [2, 9, 10]


def test_a_running_try_that_has_written_nothing_yet_is_shown():
    record = unpack_record("d-1", stored(state=b"running", claims=b"3", worker=b"w-1", claimed=b"99"))
    assert record.history == (a_run(3, worker="w-1", started_ms=99, ending=Ending.RUNNING),)


def test_a_try_whose_worker_died_keeps_what_it_had_written():
    attempt = Attempt(handler="a:b", outcome=Outcome.SUCCEEDED, number=1, started_ms=1, took_ms=2, final=True)
    left = a_run(2, ending=Ending.RUNNING, attempts=(attempt,))
    fields = stored(run__2=pack_run(left), crashed__2="40 90 wörker with blanks".encode())
    (crashed,) = unpack_record("d-1", fields).history
    assert crashed == msgspec.structs.replace(
        left, ending=Ending.CRASHED, worker="wörker with blanks", started_ms=40, ended_ms=90
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"state": None},
        {"state": b"new word"},
        {"state": b"\xff"},
        {"meta": None},
        {"meta": b"\xc1"},
        {"claims": b"x"},
        {"claimed": b""},
        {"worker": b"\xff"},
        {"run__1": b"\xc1"},
        {"run__x": pack_run(a_run())},
        {"crashed__1": b"1 2"},
        {"crashed__x": b"1 2 w"},
    ],
    ids=repr,
)
def test_a_record_that_is_not_as_this_version_writes_it_is_a_value_error(changed):
    with pytest.raises(ValueError, match=r"."):
        unpack_record("d-1", stored(**changed))
