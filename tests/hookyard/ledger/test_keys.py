"""How a delivery stands in arq's queue: as arq itself would write it."""

from __future__ import annotations

import pytest
from arq.constants import default_queue_name
from arq.jobs import Job, deserialize_job

from hookyard.ledger.keys import FUNCTION, LedgerKeys, job_bytes
from hookyard.redis.arq_serializer import deserialize, serialize
from hookyard.redis.client import close, open_redis


def test_arq_reads_the_job():
    job = deserialize_job(job_bytes("d-1", 1_700_000_000_123), deserializer=deserialize)
    assert (job.function, job.args, job.kwargs) == (FUNCTION, ["d-1"], {})
    assert int(job.enqueue_time.timestamp() * 1000) == 1_700_000_000_123


async def test_it_is_what_arq_would_have_written(redis_url):
    client = open_redis(redis_url, timeout_s=5)
    try:
        await client.enqueue_job(FUNCTION, "d-1", _job_id="d-1", _queue_name="elsewhere")
        by_arq = await client.get("arq:job:d-1")
        enqueued_ms = deserialize(by_arq)["et"]
        assert job_bytes("d-1", enqueued_ms) == by_arq
        info = await Job("d-1", client, _queue_name="elsewhere", _deserializer=deserialize).info()
        assert info.function == FUNCTION
        await client.delete("arq:job:d-1", "elsewhere")
    finally:
        await close(client)


@pytest.mark.parametrize("value", [None, 1, "text", b"raw", [1, "a"], {"a": {"b": [None]}}])
def test_a_value_comes_back(value):
    assert deserialize(serialize({"r": value})) == {"r": value}


def test_what_cannot_be_written_is_written_as_text():
    assert deserialize(serialize({"r": ValueError("no")})) == {"r": "ValueError('no')"}


def test_it_runs_no_code():
    with pytest.raises(ValueError, match=r"."):
        deserialize(b"cos\nsystem\n(S'true'\ntR.")


def test_all_our_keys_begin_with_the_prefix():
    keys = LedgerKeys(prefix="mine")
    ours = [keys.queue, keys.deliveries, keys.received, keys.failed, keys.states, keys.wake]
    assert all(key.startswith("mine:") for key in [*ours, keys.delivery("d-1")])
    assert len(set(ours)) == len(ours)
    assert keys.delivery("d-1") == "mine:delivery:d-1"
    assert keys.queue != default_queue_name
