"""Metrics and logs of real processes under load, compared with what was sent."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter

import httpx
from gitlab_emulator.app import create_app
from prometheus_client.parser import text_string_to_metric_families

from hookyard.redis.embedded import EmbeddedRedis, find_server
from tests.fakes import until
from tests.ports import free_port

BOT = """
from gidgetlab.routing import Router
from hookyard import GiveUp, current_delivery
import logging

router = Router()

@router.register("Push Hook")
async def quick(event, gl):
    pass

@router.register("Push Hook")
async def shaky(event, gl):
    if event.data["number"] % 10 == 0 and current_delivery().attempt == 1:
        raise ValueError("not yet")
    if event.data["number"] % 25 == 24:
        raise GiveUp("never")

@router.register("Push Hook")
async def asks(event, gl):
    if event.data["number"] % 20 == 0:
        logging.getLogger("mybot").warning("asking GitLab")
        await gl.getitem("/projects/1?private_token=geheim")
"""


class Figures:
    """What a scrape showed."""

    def __init__(self, text):
        self.samples = [one for family in text_string_to_metric_families(text) for one in family.samples]

    def __call__(self, name, **labels):
        """Return the sum of what has this name and these labels."""
        found = [
            one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items()
        ]
        assert found, f"no {name} with {labels}"
        return sum(found)


async def scrape(url):
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/metrics")
    assert answer.status_code == 200
    return Figures(answer.text)


async def shown(url, condition):
    """Scrape until *condition* is met, and give that scrape; a ledger's figures are kept for a second."""

    async def look():
        found = await scrape(url)
        return found if condition(found) else None

    return await until(look)


async def push(client, url, number, *, token="right", delivery_id=None):
    headers = {
        "content-type": "application/json",
        "x-gitlab-event": "Push Hook",
        "x-gitlab-token": token,
        "webhook-id": delivery_id or f"d-{number}",
    }
    answer = await client.post(url, content=json.dumps({"number": number}).encode(), headers=headers)
    return answer.status_code


def compare_answers(ingress, answers):
    """Compare what an ingress says it answered with what was answered."""
    for status, count in answers.items():
        assert ingress("hookyard_ingress_requests_total", status=str(status)) == count
    assert ingress("hookyard_ingress_requests_total", status="401", reason="wrong_token") == answers[401]
    assert ingress("hookyard_ingress_answer_seconds_count") == answers[202] + answers[200]  # had a body read
    assert ingress("hookyard_ingress_requests_total", reason="spooled") == 0


def follow_deliveries(log, wanted):
    """Look for the id of each delivery in the handler's own lines, and in those of its REST calls."""
    lines = [json.loads(line) for line in log.splitlines()]
    called = [line for line in lines if line["event"] == "GitLab request"]
    asking = [line for line in lines if line["logger"] == "mybot"]
    assert {line["delivery_id"] for line in called} == {line["delivery_id"] for line in asking} == wanted
    assert {(one["path"], one["status"], one["handler"]) for one in called} == {
        ("/projects/1", 200, "bot:asks")
    }
    assert "geheim" not in log


async def test_under_load_the_figures_add_up_to_what_was_sent(processes, listing, free_server, tmp_path):
    (tmp_path / "bot.py").write_text(BOT)
    worker_url = f"http://127.0.0.1:{(worker_port := free_port())}"
    sent = 300
    processes.environment |= {
        "GL_SECRET": "right",
        "HOOKYARD_HANDLERS": "bot:router",
        "HOOKYARD_BACKOFF_S": "0.1",
        "GL_URL": await free_server(create_app()),
        "HOOKYARD_LOG_FORMAT": "json",
    }
    _, url = processes.ingress()
    worker = processes.worker(HOOKYARD_METRICS_PORT=str(worker_port))
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=20), timeout=30) as client:
        answers = Counter(await asyncio.gather(*(push(client, url, number) for number in range(sent))))
        answers += Counter(
            await asyncio.gather(
                *(push(client, url, number, token="wrong") for number in range(7)),
                *(push(client, url, number) for number in range(5)),
            )
        )
    assert answers == {202: sent, 401: 7, 200: 5}
    compare_answers(await scrape(url), answers)

    async def all_finished():
        stats = await listing.stats()
        return sum(stats.states[state] for state in ("succeeded", "failed")) == sent and stats

    stats = await until(all_finished)
    runs = "hookyard_worker_runs_total"
    works = await shown(worker_url, lambda found: found("hookyard_worker_running") == 0)
    assert works("hookyard_worker_claims_total") == works(runs)
    assert works("hookyard_worker_leases_lost_total") == 0
    assert works(runs, state="succeeded") == stats.states["succeeded"]
    assert works(runs, state="failed") == stats.states["failed"] == sent // 25
    assert works(runs, state="retrying") == sent // 10
    assert works("hookyard_worker_pickup_seconds_count") == sent
    runs = "hookyard_worker_attempts_total"
    assert works(runs, handler="bot:quick") == works(runs, handler="bot:quick", outcome="succeeded") == sent
    assert works(runs, handler="bot:shaky") == sent + sent // 10
    assert works(runs, handler="bot:shaky", outcome="failed") == sent // 10 + sent // 25
    assert works("hookyard_worker_attempts_given_up_total", handler="bot:shaky") == sent // 25
    assert works("hookyard_worker_attempt_seconds_count", handler="bot:shaky") == sent + sent // 10
    assert works("hookyard_worker_gitlab_answers_total", status="200") == sent // 20
    assert works("hookyard_worker_gitlab_call_seconds_count", method="GET") == sent // 20

    def settled(found):  # an older reading may already hold every failed one, and a retry just due
        return all(
            found("hookyard_ledger_deliveries", state=state) == stats.states[state]
            for state in ("succeeded", "failed")
        )

    for each in (url, worker_url):  # whoever is asked says the same of the ledger
        figures = await shown(each, settled)
        assert figures("hookyard_ledger_answers") == 1
        assert figures("hookyard_ledger_deliveries") == sent
        assert figures("hookyard_ledger_due_seconds") == 0
        assert figures("hookyard_ledger_workers") == 1
        assert figures("hookyard_redis_outages_total") == figures("hookyard_redis_away") == 0

    follow_deliveries(processes.log("worker"), {f"d-{number}" for number in range(0, sent, 20)})

    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 20) == 0
    await shown(url, lambda found: found("hookyard_ledger_workers") == 0)


async def test_an_outage_of_redis_is_told_with_what_the_spool_holds_and_how_long_it_was(processes, tmp_path):
    server = EmbeddedRedis(tmp_path / "redis", server=find_server(), port=free_port())
    server.start()
    try:
        _, url = processes.ingress(
            REDIS_URL=server.url, GL_SECRET="right", HOOKYARD_SPOOL_DIR=str(tmp_path / "spool")
        )
        async with httpx.AsyncClient() as client:
            assert await push(client, url, 0) == 202
            server.kill()
            assert {await push(client, url, number) for number in range(1, 6)} == {202}
        away = await shown(url, lambda found: found("hookyard_ledger_answers") == 0)
        assert away("hookyard_redis_away") == away("hookyard_redis_outages_total") == 1
        assert away("hookyard_ingress_requests_total", reason="spooled") == 5
        assert away("hookyard_ingress_spool_waiting") == 5
        assert away("hookyard_ingress_spool_drained_total") == 0
        server.start()
        back = await shown(url, lambda found: found("hookyard_ingress_spool_waiting") == 0)
    finally:
        server.stop()
    assert back("hookyard_redis_away") == 0
    assert back("hookyard_redis_outages_total") == 1
    assert back("hookyard_redis_away_seconds_total") > away("hookyard_redis_away_seconds_total") > 0
    assert back("hookyard_ingress_spool_drained_total") == 5
    assert back("hookyard_ingress_spool_works") == 1
