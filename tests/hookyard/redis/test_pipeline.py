"""Scripts over one connection: answers reach their callers, and so does every way of losing Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from hookyard.redis import scripts as script_module
from hookyard.redis.client import close, open_redis
from hookyard.redis.embedded import EmbeddedRedis, find_server
from hookyard.redis.errors import is_redis_away
from hookyard.redis.pipeline import WRITER
from tests.fakes import until
from tests.ports import free_port

TEXTS = {
    "echo": "return ARGV[1]",
    "get": "return redis.call('GET', KEYS[1])",
    "push": "return redis.call('RPUSH', KEYS[1], ARGV[1])",
}


@pytest.fixture(autouse=True)
def _other_scripts(monkeypatch):
    for cached in (script_module._sha, script_module._load):
        cached.cache_clear()
    monkeypatch.setattr(script_module, "source", TEXTS.__getitem__)
    yield
    for cached in (script_module._sha, script_module._load):
        cached.cache_clear()


@pytest.fixture
def scripts(client):
    return script_module.ScriptRunner(client, timeout_s=60)


@pytest.fixture
async def own(own_redis):
    """Scripts over it, that wait for half a second."""
    client = open_redis(own_redis.url, timeout_s=None, connect_timeout_s=1)
    yield script_module.ScriptRunner(client, timeout_s=0.5)
    await close(client)


def echo(scripts, text):
    return asyncio.ensure_future(scripts.call("echo", keys=[], args=[text]))


async def ended(calls):
    return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 60)


async def test_what_is_asked_at_the_same_time_is_answered_to_whom_it_was_asked_by(scripts):
    texts = [f"{number}" * (1 + number * 37 % 500) for number in range(500)]
    assert await ended([echo(scripts, text) for text in texts]) == [text.encode() for text in texts]


async def test_all_goes_over_one_connection(scripts, client):
    await ended([echo(scripts, "x") for _ in range(50)])
    mine = [one for one in await client.client_list() if one["cmd"] == "evalsha"]
    assert len(mine) == 1


async def test_an_answer_that_comes_in_pieces_is_put_together(scripts):
    long = "x" * 3_000_000
    assert await ended([echo(scripts, long), echo(scripts, "y")]) == [long.encode(), b"y"]


async def test_scripts_that_were_flushed_are_loaded_again_for_all_who_asked(scripts, client):
    assert await echo(scripts, "x") == b"x"
    await client.script_flush()
    assert await ended([echo(scripts, f"{number}") for number in range(5)]) == [b"0", b"1", b"2", b"3", b"4"]
    assert await echo(scripts, "z") == b"z"


async def test_an_error_of_a_script_reaches_its_caller_and_nobody_else(own):
    def push(key):
        return asyncio.ensure_future(own.call("push", keys=[key], args=["x"]))

    before, wrong, after = await ended(
        [push("list"), asyncio.ensure_future(own.call("get", keys=["list"], args=[])), push("list")]
    )
    assert (before, after) == (1, 2)
    assert isinstance(wrong, ResponseError)
    assert "WRONGTYPE" in str(wrong)
    assert not is_redis_away(wrong)


async def test_who_gives_up_waiting_hurts_nobody(scripts):
    await echo(scripts, "x")
    calls = [echo(scripts, f"{number}") for number in range(4)]
    await asyncio.sleep(0)
    calls[1].cancel()
    answers = await ended(calls)
    assert isinstance(answers.pop(1), asyncio.CancelledError)
    assert answers == [b"0", b"2", b"3"]


@pytest.mark.parametrize("way", ["killed", "restarted"])
async def test_a_connection_that_was_lost_while_idle_is_opened_again(own, own_redis, way):
    assert await echo(own, "x") == b"x"
    if way == "killed":
        admin = open_redis(own_redis.url, timeout_s=5)
        await admin.client_kill_filter(_type="normal", skipme=True)
        await close(admin)
    else:
        await asyncio.to_thread(own_redis.stop)
        await asyncio.to_thread(own_redis.start)
    await until(lambda: not own._connection.is_open)
    assert await ended([echo(own, f"{number}") for number in range(3)]) == [b"0", b"1", b"2"]


async def test_who_waits_when_redis_dies_is_told(own, own_redis):
    await echo(own, "x")
    os.kill(own_redis.pid, signal.SIGSTOP)
    calls = [echo(own, "x") for _ in range(3)]
    await asyncio.sleep(0)
    os.kill(own_redis.pid, signal.SIGKILL)
    answers = await ended(calls)
    assert [type(answer) for answer in answers] == [RedisConnectionError] * 3
    assert all(map(is_redis_away, answers))
    assert is_redis_away((await ended([echo(own, "x")]))[0])


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "to be opened"])
async def test_a_redis_that_hangs_is_told_in_time_and_works_again(own, own_redis, is_open):
    if is_open:
        await echo(own, "x")
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        answers = await ended([echo(own, "x") for _ in range(3)])
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    assert all(map(is_redis_away, answers)), answers

    async def works():
        return (await ended([echo(own, "y")]))[0] == b"y"

    await until(works)


async def test_a_redis_that_is_not_there_is_an_error():
    client = open_redis(f"redis://127.0.0.1:{free_port()}/0", timeout_s=None)
    scripts = script_module.ScriptRunner(client, timeout_s=60)
    answers = await ended([echo(scripts, "x") for _ in range(3)])
    assert all(map(is_redis_away, answers))
    await close(client)


async def test_a_server_that_speaks_something_else_is_an_error():
    async def nonsense(reader, writer):
        while line := await reader.readline():
            writer.write(b"+OK\r\n" if b"EVALSHA" not in line else b"<html>\r\n")
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = open_redis(f"redis://127.0.0.1:{port}/0", timeout_s=None)
    (answer,) = await ended([echo(script_module.ScriptRunner(client, timeout_s=2), "x")])
    assert isinstance(answer, Exception)
    await close(client)
    server.close()


async def test_a_replica_that_was_the_master_is_asked_no_more(own, own_redis):
    """As after a failover: what comes next asks redis-py, and so Sentinel, where the master is."""
    await own.call("push", keys=["list"], args=["x"])
    first = own._connection
    admin = open_redis(own_redis.url, timeout_s=5)
    await admin.replicaof("127.0.0.1", free_port())
    (answer,) = await ended([own.call("push", keys=["list"], args=["x"])])
    assert is_redis_away(answer)
    await admin.replicaof("NO", "ONE")
    await close(admin)
    assert await own.call("push", keys=["list"], args=["x"]) == 2
    assert own._connection is not first


async def test_the_connection_is_closed_with_its_client(redis_url, client):
    own = open_redis(redis_url, timeout_s=5)
    await own.client_setname("ours")
    scripts = script_module.ScriptRunner(own, timeout_s=5)
    await echo(scripts, "x")
    await asyncio.wait_for(close(own), 60)
    assert not scripts._connection.is_open

    async def gone():
        return "evalsha" not in [one["cmd"] for one in await client.client_list()]

    await until(gone)


async def test_a_unix_socket_does_as_well(tmp_path):
    path = tmp_path / "redis.sock"
    server = EmbeddedRedis(
        tmp_path / "unix", server=find_server(), port=free_port(), options=("--unixsocket", str(path))
    )
    server.start()
    client = open_redis(f"unix://{path}", timeout_s=5)
    try:
        assert await echo(script_module.ScriptRunner(client, timeout_s=60), "x") == b"x"
    finally:
        await close(client)
        server.stop()


class Renamed(redis.asyncio.Connection):
    """A connection of a release of redis-py that has renamed what a pipelined connection leans on."""

    def __getattribute__(self, name):
        if name == WRITER and not sys._getframe(1).f_globals["__name__"].startswith("redis."):
            raise AttributeError(name)
        return super().__getattribute__(name)


class Replaced(redis.asyncio.Connection):
    """The attribute is still there, but what it leads to is not a transport."""

    def __getattribute__(self, name):
        if name == WRITER and not sys._getframe(1).f_globals["__name__"].startswith("redis."):
            return object()
        return super().__getattribute__(name)


@pytest.fixture(params=[Renamed, Replaced])
async def without_pipeline(redis_url, request):
    """A runner whose connections cannot be taken over."""
    client = open_redis(redis_url, timeout_s=None)
    client.connection_pool.connection_class = request.param
    yield script_module.ScriptRunner(client, timeout_s=0.5)
    await close(client)


async def test_without_access_to_the_transport_scripts_go_through_redis_py_and_a_log_line_says_so(
    without_pipeline, client
):
    await client.script_flush()
    assert await ended([echo(without_pipeline, f"{number}") for number in range(3)]) == [b"0", b"1", b"2"]
    push = [without_pipeline.call("push", keys=["list"], args=["x"]) for _ in range(2)]
    assert sorted(await ended(push)) == [1, 2]
    (wrong,) = await ended([without_pipeline.call("get", keys=["list"], args=[])])
    assert "WRONGTYPE" in str(wrong)
    assert not is_redis_away(wrong)
    await client.delete("list")
    assert without_pipeline._connection is None


def test_the_missing_access_is_logged_once_at_start(redis_url, capsys):
    client = open_redis(redis_url, timeout_s=None)
    client.connection_pool.connection_class = Renamed
    script_module.ScriptRunner(client, timeout_s=1)
    assert capsys.readouterr().out.count("redis-py") == 2
