"""The ingress as a process: how it starts, refuses to start, answers on a real socket, and stops."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time

import httpx
import pytest
import redis as sync_redis

from hookyard.ledger.records import State
from hookyard.redis.embedded import EmbeddedRedis, find_server
from tests.fakes import until
from tests.ports import free_port

HEADERS = {"content-type": "application/json", "x-gitlab-event": "Push Hook"}
INGRESS = ("-m", "ingress")
FACTORY = ("-m", "uvicorn", "--factory", "ingress.app:create_app", "--port", "0")
PUSH = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Gitlab-Event: Push Hook\r\n"


def connected(url):
    """A socket to the ingress at *url*."""
    opened = socket.create_connection((url.host, url.port), timeout=10)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def all_of(opened):
    """Everything until the server closes; a reset is an error."""
    return b"".join(iter(lambda: opened.recv(65536), b""))


@pytest.fixture
def ingress(processes):
    """Gives a function that starts an ingress and returns it and its URL; it stops without delay."""

    def start(**given):
        process, url = processes.ingress(HOOKYARD_SHUTDOWN_DELAY_S="0", **given)
        return process, httpx.URL(url)

    return start


@pytest.mark.parametrize("command", [INGRESS, FACTORY], ids=["ingress", "factory"])
def test_wrong_settings_are_named_all_at_once_and_no_secret_is(processes, command):
    process = processes.start(
        *command,
        HOOKYARD_ALLOW_UNAUTHENTICATED="false",
        HOOKYARD_PORT="http",
        HOOKYARD_MAX_BODY_BYTES="0",
        HOOKYARD_LEASE_S="1",
        REDIS_URL="redis://:hunt/er2@redis",
        GL_SECRET="",
    )
    assert process.wait(20) == 2
    lines = processes.log("process").splitlines()
    assert len(lines) == 6, lines
    for text in ("HOOKYARD_PORT=http:", "HOOKYARD_MAX_BODY_BYTES=0:", "HOOKYARD_LEASE_S=1 ", "REDIS_URL:"):
        assert [line for line in lines if text in line], text
    assert [line for line in lines if "HOOKYARD_ALLOW_UNAUTHENTICATED" in line]
    assert "hunt" not in "".join(lines)


@pytest.mark.parametrize("command", [INGRESS, FACTORY], ids=["ingress", "factory"])
def test_a_signing_token_that_is_none_is_refused_without_showing_it(processes, command):
    process = processes.start(
        *command, HOOKYARD_ALLOW_UNAUTHENTICATED="false", GL_SIGNING_TOKEN="whsec_hunter2"
    )
    assert process.wait(20) == 2
    told = processes.log("process")
    assert "GL_SIGNING_TOKEN: token 1 " in told
    assert "GL_SECRET" not in told  # once it is mended, there is one
    assert "hunter2" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", [INGRESS, FACTORY], ids=["ingress", "factory"])
def test_without_any_secret_it_says_how_to_go_on(processes, command):
    process = processes.start(*command, HOOKYARD_ALLOW_UNAUTHENTICATED="")
    assert process.wait(20) == 2
    told = processes.log("process")
    assert "HOOKYARD_ALLOW_UNAUTHENTICATED=true" in told
    assert "Traceback" not in told


def test_a_port_that_is_taken_is_told_in_one_line(processes):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = processes.start(*INGRESS, HOOKYARD_PORT=str(port))
        assert process.wait(20) == 1
    lines = processes.log("process").splitlines()
    assert len(lines) == 1
    assert f"127.0.0.1:{port}" in lines[0]
    assert "in use" in lines[0]


def test_a_host_that_is_none_is_told_in_one_line(processes):
    process = processes.start(*INGRESS, HOOKYARD_HOST="no-such-host.invalid")
    assert process.wait(20) == 1
    lines = processes.log("process").splitlines()
    assert len(lines) == 1
    assert "no-such-host.invalid" in lines[0]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_requests_in_flight_be_answered_and_ends_it_well(
    ingress, processes, listing, sent
):
    process, url = ingress()
    with connected(url) as opened:
        opened.sendall(PUSH + b"webhook-id: d-1\r\nContent-Length: 2\r\n\r\n{")
        assert await asyncio.to_thread(get, url, "/health") == 200  # so the one above has been read by now
        process.send_signal(sent)
        await until(lambda: refuses(url))
        opened.sendall(b"}")
        assert all_of(opened).startswith(b"HTTP/1.1 202 ")
    assert await asyncio.to_thread(process.wait, 20) == 0
    assert (await listing.get("d-1")).state is State.QUEUED
    assert "Traceback" not in processes.log(f"ingress-{url.port}")


def get(url, path):
    """The status of a GET."""
    return httpx.get(url.join(path)).status_code


def post(url):
    """The status of a push."""
    return httpx.post(url, content=b"{}", headers=HEADERS).status_code


def refuses(url):
    try:
        connected(url).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("kind", ["said", "chunked"])
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_what_is_too_large_is_refused_and_the_refusal_arrives(ingress, kind, expect):
    """As curl does it: send until an answer comes, or all is sent. A reset would be an OSError here."""
    _, url = ingress(HOOKYARD_MAX_BODY_BYTES="100000")
    size = 2_000_000
    length = b"Content-Length: %d\r\n" % size if kind == "said" else b"Transfer-Encoding: chunked\r\n"
    with connected(url) as opened:
        opened.sendall(PUSH + length + expect + b"\r\n")
        if expect:
            first = opened.recv(100)
            if kind == "said":
                assert first.startswith(b"HTTP/1.1 413 ")
                return
            assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
        piece = b"x" * 50_000
        for _ in range(size // len(piece)):
            opened.sendall(piece if kind == "said" else b"%x\r\n%b\r\n" % (len(piece), piece))
        if kind == "chunked":
            opened.sendall(b"0\r\n\r\n")
        answer = all_of(opened)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.lower().count(b"connection: close") == 1


def test_one_who_never_stops_sending_is_cut_off(ingress):
    _, url = ingress(HOOKYARD_MAX_BODY_BYTES="100000")

    def send_until_cut_off(opened):
        opened.sendall(PUSH + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            opened.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            time.sleep(0.001)

    with connected(url) as opened, pytest.raises(ConnectionError):
        send_until_cut_off(opened)


@pytest.mark.parametrize("target", [b"/", b"//", b"/?a=b", b"/?"])
def test_a_post_is_answered_without_a_redirect_on_the_wire(ingress, target):
    _, url = ingress()
    with connected(url) as opened:
        opened.sendall(PUSH.replace(b"/", target, 1) + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
        answer = all_of(opened)
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert b"location" not in answer.lower()


def test_no_secret_and_no_body_is_in_the_log_however_much_is_logged(ingress, processes):
    _, url = ingress(
        GL_SECRET="hunter2,hunter3",
        HOOKYARD_ALLOW_UNAUTHENTICATED="false",
        HOOKYARD_LOG_LEVEL="debug",
        HOOKYARD_LOG_FORMAT="console",
    )
    post = f"{url}?private_token=hunter4"
    for token in ("hunter2", "hunter3", "hunter5"):
        for body in (b'{"hunter6": "hunter6"}', b"{hunter6", b"\xff hunter6"):
            httpx.post(post, content=body, headers={**HEADERS, "x-gitlab-token": token})
    httpx.post(post, content=b"hunter6", headers={"x-gitlab-token": "hunter2", "content-type": "hunter6"})
    httpx.get(url.join("/hunter6"))
    told = processes.log(f"ingress-{url.port}")
    assert "request refused" in told
    assert "delivery accepted" in told
    assert "hunter" not in told


def test_the_factory_serves_too(processes):
    port = free_port()
    processes.start(*FACTORY[:-1], str(port), name="factory", HOOKYARD_LOG_FORMAT="json")
    answer = None
    deadline = time.monotonic() + 20
    while answer is None and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(
                f"http://127.0.0.1:{port}/?private_token=hunter4",
                content=b"{}",
                headers={**HEADERS, "webhook-id": "d-1"},
            )
    assert answer is not None
    assert answer.status_code == 202
    assert "hunter4" not in processes.log("factory")


async def test_what_an_ingress_can_just_parse_is_not_too_deep_for_a_worker(ingress, processes, listing):
    _, url = ingress()
    processes.worker()

    def taken(depth):
        answer = httpx.post(
            url,
            content=b"[" * depth + b"]" * depth,
            headers={**HEADERS, "x-gitlab-event": "No Such Hook", "webhook-id": f"deep-{depth}"},
        )
        assert answer.status_code in {202, 400}
        return answer.status_code == 202

    low, high = 1, 200_000
    assert taken(low)
    assert not taken(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(middle) else (low, middle)
    assert low > 500

    async def ignored():
        return (await listing.get(f"deep-{low}")).state is State.IGNORED

    await until(ignored)


async def test_a_redis_that_is_not_there_at_start_is_told_and_found_later(ingress, processes, tmp_path):
    redis = EmbeddedRedis(tmp_path / "late", server=find_server(), port=free_port())
    _, url = ingress(REDIS_URL=f"redis://:hunter2@127.0.0.1:{redis.port}/0", HOOKYARD_LOG_FORMAT="json")
    name = f"ingress-{url.port}"
    await until(lambda: '"Redis unavailable"' in processes.log(name))
    assert f"redis://:***@127.0.0.1:{redis.port}/0" in processes.log(name)
    assert get(url, "/ready") == 503
    redis.start()
    try:
        with sync_redis.Redis.from_url(redis.url) as client:
            client.config_set("requirepass", "hunter2")
        await until(lambda: '"Redis available again"' in processes.log(name))
        assert post(url) == 202
    finally:
        redis.stop()
    assert "hunter2" not in processes.log(name)


async def test_a_user_that_may_not_write_is_a_503_until_it_may(ingress, processes, client):
    await client.acl_setuser("limited", enabled=True, passwords=["+pw"], keys=["*"], commands=["+ping"])
    try:
        plain = httpx.URL(processes.environment["REDIS_URL"])
        _, url = ingress(REDIS_URL=str(plain.copy_with(username="limited", password="pw")))
        assert post(url) == 503
        assert get(url, "/ready") == 503
        await client.acl_setuser("limited", commands=["+@all"], keys=["*"])

        async def taken():
            return post(url) == 202

        await until(taken)
    finally:
        await client.acl_deluser("limited")


def test_a_misspelt_variable_is_told_at_start(ingress, processes):
    _, url = ingress(HOOKYARD_LEASE="5")
    assert "did you mean HOOKYARD_LEASE_S?" in processes.log(f"ingress-{url.port}")


def test_many_connections_that_say_much_and_send_nothing_shut_nobody_out(ingress):
    _, url = ingress(HOOKYARD_MAX_HELD_BYTES="10000000", HOOKYARD_MAX_BODY_BYTES="9000000")
    idle = [connected(url) for _ in range(20)]
    try:
        for opened in idle:
            opened.sendall(PUSH + b"Content-Length: 9000000\r\n\r\n")
        assert httpx.post(url, content=b"{}", headers=HEADERS).status_code == 202
    finally:
        for opened in idle:
            opened.close()
