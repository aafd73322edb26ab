"""Framing: a stream, however it is cut, gives the same messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookyard.host.messages import (
    MAX_FRAME_BYTES,
    Blocked,
    Cancel,
    Close,
    Ended,
    FrameReader,
    Invoke,
    Open,
    Opened,
    Ping,
    Unusable,
    frame,
    read_orders,
    read_reports,
)

NUMBERS = st.integers(0, 2**63 - 1)
TEXTS = st.text()
ORDERS = st.one_of(
    st.builds(
        Open,
        run=NUMBERS,
        delivery_id=TEXTS,
        event=TEXTS,
        content_type=st.none() | TEXTS,
        body=st.binary(max_size=300),
        received_ms=NUMBERS,
        event_uuid=st.none() | TEXTS,
    ),
    st.builds(Invoke, run=NUMBERS, place=NUMBERS, attempt=NUMBERS, start_by=st.floats(allow_nan=False)),
    st.builds(Cancel, run=NUMBERS),
    st.builds(Close, run=NUMBERS),
    st.builds(Ping, number=NUMBERS),
)


@given(st.lists(st.lists(ORDERS)), st.data())
def test_any_split_of_the_stream_gives_the_same_messages(turns, data):
    stream = b"".join(map(frame, turns))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    reader, read = FrameReader(), []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += [read_orders(payload) for payload in reader.feed(stream[begin:end])]
    assert read == turns


def test_a_length_that_no_frame_has_is_refused():
    with pytest.raises(ValueError, match="a frame of"):
        FrameReader().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "little"))


def test_half_a_surrogate_pair_in_a_message_is_sent_as_its_escape_and_loses_none():
    sent = [
        Ended(run=1, outcome="succeeded", took_ms=1),
        Ended(run=2, outcome="failed", took_ms=1, traceback="half: \ud800"),
        Unusable(faults=("a path: \udcff",)),
        Opened(run=3, handlers=(1, 2)),
        Blocked(run=4, handler="grüßt", seconds=0.5),
    ]
    (payload,) = FrameReader().feed(frame(sent))
    read = read_reports(payload)
    assert read[0] == sent[0]
    assert read[1].traceback == r"half: \ud800"
    assert read[2].faults == (r"a path: \udcff",)
    assert read[3:] == sent[3:]
