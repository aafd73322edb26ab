"""``hookyard ingress`` and ``worker``: their options are settings, and win over the environment's."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest

from hookyard.redis.embedded import free_port
from tests.fakes import until

BOT = "from gidgetlab.routing import Router\nrouter = Router()\n"


def text_at(url):
    try:
        return httpx.get(url, timeout=2).raise_for_status().text
    except httpx.HTTPError:
        return ""


def answers(url):
    return bool(text_at(url))


async def test_options_of_the_ingress_win_over_the_environment(processes, tmp_path):
    port = free_port()
    processes.start(
        *("-m", "hookyard.cli.main", "ingress", "--host", "localhost", "--port", str(port)),
        *("--spool-dir", str(tmp_path / "spool"), "--log-format", "json"),
        name="ingress",
        HOOKYARD_PORT="1",
        HOOKYARD_HOST="192.0.2.1",
    )
    await until(lambda: answers(f"http://127.0.0.1:{port}/ready"))
    assert (tmp_path / "spool").is_dir()
    assert '"event": "ingress ready"' in processes.log("ingress")


async def test_options_of_a_worker_win_over_the_environment(processes, tmp_path):
    (tmp_path / "mybot.py").write_text(BOT)
    port = free_port()
    worker = processes.start(
        *("-m", "hookyard.cli.main", "worker", "--handlers", "mybot:router", "--slots", "3"),
        *("--metrics-port", str(port)),
        name="worker",
        HOOKYARD_HANDLERS="nowhere:router",
        HOOKYARD_SLOTS="5",
    )
    await until(lambda: answers(f"http://127.0.0.1:{port}/health"))
    assert "hookyard_worker_slots 3.0" in text_at(f"http://127.0.0.1:{port}/metrics")
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0


def test_options_that_cannot_be_used_are_all_named_with_the_settings_that_cannot(command):
    run = command("worker", "--slots", "many", "--metrics-port", "x", HOOKYARD_LOG_LEVEL="loud")
    assert run.code == 2
    for name in ("HOOKYARD_SLOTS=many", "HOOKYARD_METRICS_PORT=x", "HOOKYARD_LOG_LEVEL=loud"):
        assert name in run.err
    assert "Traceback" not in run.err


def test_a_worker_without_handlers_says_what_to_set(command):
    run = command("worker")
    assert run.code == 2
    assert "HOOKYARD_HANDLERS is not set: set it to your bot's module and router" in run.err


@pytest.mark.parametrize("name", ["ingress", "worker"])
async def test_a_terminal_that_closes_drains_a_process(processes, tmp_path, name):
    (tmp_path / "mybot.py").write_text(BOT)
    process = processes.start(
        "-m", name, name=name, HOOKYARD_HANDLERS="mybot:router", HOOKYARD_PORT=str(free_port())
    )
    await until(lambda: f"{name} ready" in processes.log(name))
    process.send_signal(signal.SIGHUP)
    assert await asyncio.to_thread(process.wait, 30) == 0
    assert "Traceback" not in processes.log(name)
