"""Accepting while Redis is away and the disk is no help either."""

from __future__ import annotations

import threading

import pytest

from hookyard.ledger.ledger import Ledger
from hookyard.redis.client import close, open_redis
from ingress import acceptor as module
from ingress.acceptor import Accepted, Acceptor, NotAccepted
from ingress.metrics import IngressMetrics
from ingress.spool.spool import Spool
from tests.fakes import a_delivery, until
from tests.ports import free_port


@pytest.fixture
async def spool(tmp_path):
    """A spool whose disk works."""
    opened = Spool(tmp_path / "spool", max_bytes=1024**2)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def acceptor(spool):
    """One whose Redis is away."""
    redis = open_redis(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.5)
    yield Acceptor(Ledger(redis, accept_timeout_s=0.5), spool, timeout_s=0.5, metrics=IngressMetrics())
    await close(redis)


async def test_a_disk_that_hangs_has_webhooks_refused_in_time(acceptor, spool, monkeypatch):
    monkeypatch.setattr(module, "SPOOL_S", 0.2)
    works = threading.Event()
    spool._thread.submit(works.wait)  # what it waits for is an fsync, say
    with pytest.raises(NotAccepted, match="its disk took over"):
        await acceptor.accept(a_delivery("d-1"))
    works.set()
    assert await acceptor.accept(a_delivery("d-2")) is Accepted.SPOOLED
    assert (await acceptor.readiness()).is_ready


async def test_what_was_being_written_is_kept_though_it_was_refused(acceptor, spool, monkeypatch):
    monkeypatch.setattr(module, "SPOOL_S", 0.2)
    insert, begun, works = spool._table.insert, threading.Event(), threading.Event()

    def slow(batch):
        begun.set()
        works.wait()
        return insert(batch)

    monkeypatch.setattr(spool._table, "insert", slow)
    with pytest.raises(NotAccepted):
        await acceptor.accept(a_delivery("d-1"))
    assert begun.is_set()
    works.set()

    async def is_there():
        return (await spool.depth()).waiting == 1

    await until(is_there)
