"""``hookyard health`` and ``preflight``: what a container engine is told, against real processes."""

from __future__ import annotations

import asyncio

import pytest

from hookyard.cli import health
from hookyard.settings.settings import load
from tests.fakes import until
from tests.ports import free_port

NOWHERE = "redis://127.0.0.1:1/0"


def one_line(text):
    return len(text.splitlines()) == 1


def test_an_ingress_that_would_keep_a_webhook_is_well(command, processes):
    _, url = processes.ingress(HOOKYARD_HOST="0.0.0.0")
    run = command("health", "ingress", HOOKYARD_HOST="0.0.0.0", HOOKYARD_PORT=url.rpartition(":")[2])
    assert (run.code, run.out, run.err) == (0, "ingress: healthy\n", "")


def test_an_ingress_that_could_not_keep_one_is_not_and_says_why(command, processes):
    _, url = processes.ingress(REDIS_URL=NOWHERE)
    run = command("health", "ingress", HOOKYARD_PORT=url.rpartition(":")[2])
    assert run.code == 1
    assert run.err.startswith("ingress: /ready answered 503 (redis: ")
    assert one_line(run.err)


@pytest.mark.parametrize("name", ["ingress", "emulator"])
def test_a_process_that_does_not_answer_is_not_well(command, monkeypatch, name):
    monkeypatch.setattr(health, "_EMULATOR_PORT", port := free_port())
    fault = health._fault(health.Process(name), load(HOOKYARD_PORT=port))
    assert fault == f"127.0.0.1 port {port} does not answer (ConnectionRefusedError)"


async def test_a_worker_is_well_once_it_has_said_so(command, processes, redis_url, client):
    assert (await asyncio.to_thread(command, "health", "worker", REDIS_URL=redis_url)).code == 1
    processes.worker(HOOKYARD_HANDLERS="handlers:router")
    await until(lambda: b"worker ready" in processes.log("worker").encode())
    await until(lambda: client.exists("hookyard:queue:health-check"))
    run = await asyncio.to_thread(command, "health", "worker", REDIS_URL=redis_url)
    assert (run.code, run.out) == (0, "worker: healthy\n")


def test_a_worker_that_waits_for_redis_is_not_to_be_started_again(command):
    assert command("health", "worker", REDIS_URL=NOWHERE).code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/opt/hookyard/bin/python", "-P", "-m", "ingress", ""], "ingress"),
        (["/sbin/docker-init", "--", "hookyard", "worker", ""], "worker"),
        (["/opt/hookyard/bin/python", "-P", "-m", "hookyard.console", ""], "console"),
        (["sleep", "infinity", ""], None),
    ],
)
def test_a_containers_process_is_told_by_its_first_command_line(monkeypatch, tmp_path, words, expected):
    path = tmp_path / "cmdline"
    path.write_text("\0".join(words))
    monkeypatch.setattr(health, "_FIRST_PROCESS", path)
    assert health._of_this_container() == expected


def test_health_asks_which_where_nothing_tells(command):
    run = command("health")
    assert run.code == 2
    assert "hookyard health ingress|worker|console|emulator" in run.err


def test_preflight_lets_good_settings_pass_and_tells_all_that_is_wrong_with_others(command, tmp_path):
    assert command("preflight", GL_SECRET="hunter2", HOOKYARD_HANDLERS="bot:router").code == 0
    (tmp_path / "token").write_text("change-me\n")
    run = command(
        "preflight",
        HOOKYARD_HANDLERS="bot:router",
        GL_ACCESS_TOKEN_FILE=str(tmp_path / "token"),
        GL_SECRET_FILE=str(tmp_path / "nowhere"),
    )
    assert run.code == 2
    assert "GL_ACCESS_TOKEN: this is a placeholder from an example" in run.err
    assert f"GL_SECRET_FILE={tmp_path}/nowhere: there is no such file" in run.err
    assert len(run.err.splitlines()) == 3


async def test_a_worker_with_a_port_of_its_own_is_asked_there(command, processes, redis_url):
    port = free_port()
    given = {"REDIS_URL": redis_url, "HOOKYARD_METRICS_PORT": str(port)}
    assert (await asyncio.to_thread(command, "health", "worker", **given)).code == 1
    processes.worker(HOOKYARD_HANDLERS="handlers:router", HOOKYARD_METRICS_PORT=str(port))
    await until(lambda: b"worker ready" in processes.log("worker").encode())
    run = await asyncio.to_thread(command, "health", "worker", **given)
    assert (run.code, run.out) == (0, "worker: healthy\n")
