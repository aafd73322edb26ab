"""What an ingress bears: large bodies while Redis hangs, being told to stop, a bad spool directory."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
import redis

from tests.fakes import until
from tests.integration.test_redis_away import yard  # noqa: F401 - a fixture

MIB = 1024 * 1024
HEADERS = {"content-type": "application/octet-stream", "x-gitlab-event": "Push Hook"}


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_memory_stays_flat_while_redis_hangs_and_large_bodies_keep_coming(yard, own_redis):  # noqa: F811
    yard.environment |= {"HOOKYARD_MAX_HELD_BYTES": str(64 * MIB), "HOOKYARD_SPOOL_MAX_BYTES": str(120 * MIB)}
    ingress, url = yard.ingress()
    os.kill(own_redis.pid, signal.SIGSTOP)
    body = os.urandom(24 * MIB)
    answers, most = [], 0.0
    try:
        async with httpx.AsyncClient(timeout=60) as client:

            async def send():
                try:
                    answers.append((await client.post(url, content=body, headers=HEADERS)).status_code)
                except httpx.TransportError:  # answered before the body was read, and closed
                    answers.append(503)

            for _ in range(4):
                sending = [asyncio.create_task(send()) for _ in range(10)]
                while any(not task.done() for task in sending):
                    most = max(most, resident_mib(ingress.pid))
                    await asyncio.sleep(0.02)
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    assert set(answers) == {202, 503}
    assert 3 <= answers.count(202) <= 5  # what the spool has room for
    assert most < 700, f"{most:.0f} MiB"  # 40 bodies of 24 MiB are 960
    assert ingress.poll() is None


async def test_a_request_in_flight_is_answered_and_ready_says_no_before_the_door_closes(yard):  # noqa: F811
    yard.environment["HOOKYARD_SHUTDOWN_DELAY_S"] = "1.5"
    ingress, url = yard.ingress()
    port = httpx.URL(url).port
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Gitlab-Event: Push Hook\r\nWebhook-Id: slow\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{"
        )
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/ready")).status_code == 200
            ingress.send_signal(signal.SIGTERM)

            async def says_no():
                return (await client.get(f"{url}/ready")).status_code == 503

            await until(says_no)
            meanwhile = await client.post(url, content=b"{}", headers={**HEADERS, "webhook-id": "meanwhile"})
            assert meanwhile.status_code == 202

        def door_is_closed():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) != 0

        await until(door_is_closed)
        slow.sendall(b"}")
        assert (await asyncio.to_thread(slow.recv, 1000)).startswith(b"HTTP/1.1 202")
    await asyncio.to_thread(ingress.wait, 10)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"HOOKYARD_SPOOL_DIR": "/proc/spool"}, "HOOKYARD_SPOOL_DIR=/proc/spool"),
        ({"HOOKYARD_SPOOL_DIR": "/dev/full/spool"}, "HOOKYARD_SPOOL_DIR=/dev/full/spool"),
        ({"HOOKYARD_LEASE_S": "2"}, "HOOKYARD_LEASE_S=2 is too short"),
        ({"HOOKYARD_SPOOL_MAX_BYTES": "10"}, "HOOKYARD_SPOOL_MAX_BYTES=10"),
    ],
)
async def test_a_setting_that_cannot_be_kept_is_refused_at_start(yard, given, words):  # noqa: F811
    process = yard.start("-m", "ingress", name="refused", **{"HOOKYARD_LEASE_S": "10", **given})
    assert await asyncio.to_thread(process.wait, 30) == 2
    assert words in yard.log("refused")
    assert "Traceback" not in yard.log("refused")


@pytest.fixture
def small_disk(tmp_path):
    """Gives a function that mounts a disk of so many KiB, and returns its directory."""
    mounted = []

    def mount(kib):
        disk = tmp_path / f"disk-{kib}"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", disk]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("may not mount here")
        mounted.append(disk)
        return disk

    yield mount
    for disk in mounted:
        subprocess.run(["umount", "--lazy", disk], check=True)


async def test_a_spool_on_a_full_disk_is_refused_at_start(yard, small_disk):  # noqa: F811
    process = yard.start("-m", "ingress", name="refused", HOOKYARD_SPOOL_DIR=str(small_disk(256)))
    assert await asyncio.to_thread(process.wait, 30) == 2
    assert "No space left on device" in yard.log("refused")


async def test_a_disk_that_fills_up_later_is_a_503_and_nothing_kept_is_lost(yard, own_redis, small_disk):  # noqa: F811
    _, url = yard.ingress(HOOKYARD_SPOOL_DIR=str(small_disk(8 * 1024)))
    await asyncio.to_thread(own_redis.stop)
    kept = []
    async with httpx.AsyncClient(timeout=10) as client:
        for number in range(100):
            answer = await client.post(
                url, content=os.urandom(100_000), headers={**HEADERS, "webhook-id": f"d-{number}"}
            )
            assert answer.status_code in {202, 503}
            kept += [f"d-{number}"] if answer.status_code == 202 else []
        assert 10 < len(kept) < 60
        await asyncio.to_thread(own_redis.start)

        async def drained():
            ready = (await client.get(f"{url}/ready")).json()
            return ready["redis"]["ok"] and ready["spool"]["waiting"] == 0

        await until(drained)
    with redis.Redis.from_url(own_redis.url) as stored:
        assert {key.decode() for key in stored.zrange("hookyard:received", 0, -1)} == set(kept)
    assert "its ballast is dropped" in yard.log(f"ingress-{httpx.URL(url).port}")
