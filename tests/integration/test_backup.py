"""The backup and restore of docs/guides/operate.md, step by step, with a Redis of its own."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import pytest
import redis

from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.ledger.records import State
from hookyard.redis.client import close, open_redis
from hookyard.redis.embedded import EmbeddedRedis
from tests.audit import audit
from tests.fakes import a_delivery, until

BOT = """
from gidgetlab.routing import Router
from hookyard import GiveUp
router = Router()

@router.register("Push Hook")
async def handle(event, gl):
    if event.data.get("fails"):
        raise GiveUp("no luck")
"""


@pytest.fixture
async def books(own_redis):
    """Gives a function that returns the ledger and its listing, whichever Redis runs there now."""
    opened = []

    def open_books():
        client = open_redis(own_redis.url, timeout_s=5)
        opened.append(client)
        ledger = Ledger(client)
        return ledger, Listing(client, ledger.keys)

    yield open_books
    for client in opened:
        await close(client)


async def fill(ledger, listing, processes, own_redis):
    """Have some deliveries handled, some given up, some waiting."""
    (processes.directory / "bot.py").write_text(BOT)
    processes.environment |= {"HOOKYARD_HANDLERS": "bot:router", "REDIS_URL": own_redis.url}
    for number in range(20):
        await ledger.accept(a_delivery(f"d-{number}", data={"fails": number % 5 == 0}))
    worker = processes.worker(name="before")

    async def handled():
        return (await listing.stats()).states[State.SUCCEEDED] == 16

    await until(handled)
    worker.terminate()
    await asyncio.to_thread(worker.wait, 20)
    for number in range(20, 30):
        await ledger.accept(a_delivery(f"d-{number}", data={"fails": False}))


def contents(own_redis):
    """Everything in the ledger, key by key."""
    with redis.Redis.from_url(own_redis.url) as client:
        assert audit(client) == []
        readers = {
            b"hash": client.hgetall,
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            b"list": lambda key: client.lrange(key, 0, -1),
            b"string": client.get,
        }
        keys = [key for key in client.scan_iter(count=1000) if client.ttl(key) == -1]
        return {key: readers[client.type(key)](key) for key in keys}


def snapshot(own_redis, to):
    """redis-cli --rdb: over the network, from any machine."""
    command = shutil.which("redis-cli") or own_redis.server.path.with_name("redis-cli")
    done = subprocess.run(
        [command, "-u", own_redis.url, "--rdb", to / "ledger.rdb"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def restore_snapshot(own_redis, backup):
    """Redis with an append-only file does not look at a snapshot: it must be told to begin one."""
    shutil.copy(backup / "ledger.rdb", own_redis.directory / "dump.rdb")
    loading = EmbeddedRedis(
        own_redis.directory, server=own_redis.server, port=own_redis.port, options=("--appendonly", "no")
    )
    loading.start()
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("appendonly", "yes")
        await until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
        await until(lambda: not client.info("persistence")["aof_rewrite_scheduled"])
        assert client.info("persistence")["aof_last_bgrewrite_status"] == "ok"
    loading.stop()


def copy_of_the_file(own_redis, to):
    """The append-only file itself, while nothing rewrites it."""
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("auto-aof-rewrite-percentage", 0)
        assert not client.info("persistence")["aof_rewrite_in_progress"]
        for name in ("appendonlydir", "appendonly.aof"):
            path = own_redis.directory / name
            if path.is_dir():
                shutil.copytree(path, to / name)
            elif path.exists():
                shutil.copy(path, to / name)
        client.config_set("auto-aof-rewrite-percentage", 100)


async def restore_file(own_redis, backup):
    """Put it back; Redis reads it when it starts."""
    shutil.copytree(backup, own_redis.directory, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("back_up", "restore"),
    [
        pytest.param(snapshot, restore_snapshot, id="snapshot"),
        pytest.param(copy_of_the_file, restore_file, id="append-only file"),
    ],
)
async def test_a_restored_ledger_is_what_was_backed_up_and_goes_on(
    own_redis, books, processes, tmp_path, back_up, restore
):
    ledger, listing = books()
    await fill(ledger, listing, processes, own_redis)
    backup = tmp_path / "backup"
    backup.mkdir()
    before = contents(own_redis)
    await asyncio.to_thread(back_up, own_redis, backup)
    await ledger.accept(a_delivery("d-later"))

    own_redis.kill()
    shutil.move(own_redis.directory, tmp_path / "lost")
    own_redis.directory.mkdir()
    await restore(own_redis, backup)
    own_redis.start()
    assert contents(own_redis) == before

    ledger, listing = books()
    processes.worker(name="after")

    async def all_handled():
        stats = await listing.stats()
        return (stats.states[State.SUCCEEDED], stats.states[State.FAILED]) == (26, 4)

    await until(all_handled)
    assert await listing.get("d-later") is None  # came after the backup: GitLab's own log has it
