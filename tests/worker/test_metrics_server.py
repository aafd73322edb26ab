"""A worker's /metrics and /health, over a real socket."""

from __future__ import annotations

import json
import socket
import threading

import httpx
import pytest
from gidgetlab.routing import Router
from prometheus_client import Gauge

from hookyard.telemetry.metrics import Registry
from tests.fakes import a_delivery, until
from tests.ports import free_port
from worker.metrics_server import MetricsServer

BLOCKING = """
import time
from gidgetlab.routing import Router
from hookyard import policy
router = Router()

@router.register("Push Hook")
@policy(timeout=0.3)
async def blocks(event, gl):
    time.sleep(event.data["for_s"])
"""


@pytest.fixture
def served():
    """Gives a function that starts a server and returns its URL."""
    running = []

    def serve(fault=None, host="127.0.0.1", port=None):
        registry = Registry()
        Gauge("shown", "A gauge", registry=registry).set(1)
        server = MetricsServer(registry, fault=lambda: fault)
        port = port or free_port()
        server.start(host, port)
        running.append(server)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    serve.running = running
    yield serve
    for server in running:
        server.stop()


def test_it_answers_scrapes_and_health_and_nothing_else(served):
    url = served()
    answer = httpx.get(f"{url}/metrics?x=y")
    assert answer.status_code == 200
    assert "\nshown 1.0\n" in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert httpx.get(f"{url}/health").text == "ok\n"
    assert httpx.get(f"{url}/").status_code == 404
    assert httpx.post(f"{url}/metrics").status_code == 405


def test_a_worker_that_is_not_well_says_why(served):
    answer = httpx.get(served(fault="stuck") + "/health")
    assert (answer.status_code, answer.text) == (503, "stuck\n")


def test_it_listens_on_ipv6_as_well(served):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    assert httpx.get(served(host="::1") + "/health").status_code == 200


def test_a_port_that_is_taken_is_told_and_costs_nothing_else(served, caplog):
    url = served()
    served(port=int(url.rpartition(":")[2]))
    (line,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert line.startswith("cannot listen: no /metrics and /health for this worker")
    assert "HOOKYARD_METRICS_PORT" in line
    assert httpx.get(f"{url}/health").status_code == 200


def test_clients_that_say_nothing_cost_no_thread_and_hold_up_neither_an_answer_nor_the_end(served):
    url = served()
    port = int(url.rpartition(":")[2])
    assert httpx.get(f"{url}/metrics").status_code == 200
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    try:
        assert httpx.get(f"{url}/metrics").status_code == 200
        assert threading.active_count() <= before + 1
        served.running.pop().stop()
        assert not [each for each in threading.enumerate() if each.name == "metrics"]
        socket.create_server(("127.0.0.1", port)).close()
    finally:
        for each in silent:
            each.close()


async def test_without_a_port_a_worker_listens_nowhere(start_worker, monkeypatch):
    monkeypatch.setattr(MetricsServer, "start", lambda *_: pytest.fail("it listens"))
    await start_worker(Router())


async def test_two_workers_with_the_same_port_both_handle_deliveries(processes, ledger, listing):
    port = str(free_port())
    for name in ("one", "other"):
        processes.worker(name, HOOKYARD_METRICS_PORT=port)
    await until(lambda: "worker ready" in processes.log("one") and "worker ready" in processes.log("other"))
    told = [json.loads(line) for name in ("one", "other") for line in processes.log(name).splitlines()]
    assert sorted(line["event"] for line in told if "metrics" in line["event"]) == [
        "cannot listen: no /metrics and /health for this worker",
        "metrics",
    ]


async def test_a_handler_that_blocks_its_host_is_counted_and_keeps_nobody_from_scraping(
    processes, ledger, tmp_path
):
    (tmp_path / "bot.py").write_text(BLOCKING)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    processes.worker(HOOKYARD_METRICS_PORT=str(port), HOOKYARD_HANDLERS="bot:router")

    async def answer(path):
        async with httpx.AsyncClient() as client:
            try:
                return await client.get(f"{url}{path}")
            except httpx.TransportError:
                return None

    async def shows(sample):
        scraped = await answer("/metrics")
        return scraped is not None and sample in scraped.text

    await until(lambda: shows("hookyard_worker_hosts 1.0"))
    await ledger.accept(a_delivery("d-1", data={"for_s": 3}))
    await until(lambda: shows("hookyard_worker_running 1.0"))
    assert (await answer("/health")).status_code == 200
    await until(lambda: shows('hookyard_worker_blocking_calls_total{handler="bot:'))
