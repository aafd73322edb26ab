"""The compose run: ``make compose-test``.

Builds the image, starts docker-compose.yml with two ingresses and three workers, and sends deliveries
through the load balancer at a steady rate, while an ingress and a worker are killed, a worker is added,
Redis is restarted and the image is replaced. Every answer must be 2xx, but for what the killed ingress had
in hand, which is counted; and every accepted delivery must be handled.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import redis as sync_redis

from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.ledger.records import Record, State
from hookyard.redis.client import close, open_redis
from tests.audit import audit
from tests.compose.sender import Sender, Sent
from tests.compose.stack import CannotRun, Stack, engine_environment
from tests.compose.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Iterable

SETTLE_S = 180
BAD_GATEWAY = 502


async def run(stack: Stack, *, deliveries: int, rate: float) -> list[str]:
    """Do the whole run; gives every promise that was not kept."""
    took = await asyncio.to_thread(prepare, stack)
    sender = Sender(stack.url, stack.secret("gl_secret"))
    steps = Steps(stack, sender, deliveries)
    sending = asyncio.create_task(sender.send(deliveries, rate))
    try:
        await steps.go_on()
        broken = [] if sender.begun < deliveries else ["the steps outlasted the sending: lower --rate"]
        await sending
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    accepted = [one.delivery_id for one in sender.sent if one.is_accepted]
    began = time.monotonic()
    url = await asyncio.to_thread(stack.redis_url)
    records = await wait_until_finished(url, accepted)
    took |= steps.took_s | {"the rest is handled": round(time.monotonic() - began, 1)}
    broken += judge(sender.sent, records, steps)
    with sync_redis.Redis.from_url(url) as client:
        broken += [f"key: {fault}" for fault in audit(client)]
    left = await asyncio.to_thread(stack.waiting_in_spool)
    broken += [f"{left} deliveries are left in the spool"] if left else []
    print(report(sender.sent, records, steps, took))
    return broken


def prepare(stack: Stack) -> dict[str, float]:
    """Do what README tells a new operator to do; gives how long each part took."""
    took = {}
    began = time.monotonic()
    stack.lay_out(ingresses=2, workers=3)
    stack.build(1)
    took["the image is built"] = round(time.monotonic() - began, 1)
    refuses_examples(stack)
    began = time.monotonic()
    stack.up(ingress=2, worker=3)
    stack.wait_until_well("ingress", 2)
    stack.wait_until_well("worker", 3)
    deadline = time.monotonic() + 60
    while not answers(f"{stack.url}health"):
        assert time.monotonic() < deadline, "the load balancer does not answer"
        time.sleep(0.1)
    took["the stack is up and well"] = round(time.monotonic() - began, 1)
    began = time.monotonic()
    (stack.directory / "handlers" / "another_build.py").write_text(
        '"""Makes the next image another one."""\n'
    )
    stack.build(2)
    took["the image is built anew"] = round(time.monotonic() - began, 1)
    return took


def answers(url: str) -> bool:
    """Return whether *url* answers 200."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def refuses_examples(stack: Stack) -> None:
    """Make sure that no process starts with an example's secret or an empty one, and that each says why."""
    for secret, told in (("change-me\n", "this is a placeholder from an example"), ("\n", "it is empty")):
        path = stack.directory / "secrets" / "no-good"
        path.write_text(secret)
        path.chmod(0o644)
        for process in ("ingress", "worker", "preflight"):
            command = ["podman", "run", "--rm", "--read-only", "--network=none", f"--volume={path}:/s:ro"]
            name = f"{stack.project}:1"
            command += ["-e", "GL_SECRET_FILE=/s", "-e", "HOOKYARD_HANDLERS=bot:router", name, process]
            script = f"{' '.join(command)} 2>&1; echo exit $?"
            said = stack.run("sh", "-c", script)
            assert "exit 2" in said, said
            assert told in said, said
            assert len(said.splitlines()) == 3, said


async def wait_until_finished(url: str, accepted: Iterable[str]) -> dict[str, Record]:
    """Return the records of what was accepted, once all are finished or patience is over."""
    redis = open_redis(url, timeout_s=10)
    try:
        ledger = Ledger(redis)
        listing = Listing(redis, ledger.keys)
        deadline = time.monotonic() + SETTLE_S
        while await redis.zcard(ledger.keys.queue) and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
        found = [await listing.get(name) for name in accepted]
        return {record.delivery.id: record for record in found if record}
    finally:
        await close(redis)


def judge(sent: list[Sent], records: dict[str, Record], steps: Steps) -> list[str]:
    """Return every promise that was not kept."""
    broken = []
    for one in sent:
        if one.is_accepted or was_cut_off(one, steps):
            continue
        broken.append(
            f"{one.delivery_id}: {one.status} after {one.took_s:.2f} s, while: {during(one, steps)}"
        )
    for one in sent:
        record = records.get(one.delivery_id)
        if one.is_accepted and record is None:
            broken.append(f"{one.delivery_id}: answered {one.status} and lost")
        elif record is not None and record.state is not State.SUCCEEDED:
            broken.append(f"{one.delivery_id}: {record.state.value} ({record.error})")
    return broken


def during(one: Sent, steps: Steps) -> str:
    """Return what was being done to the stack when *one* was answered."""
    done = [name for name, (begin, end) in steps.spans.items() if begin <= one.began_s + one.took_s <= end]
    return done[0] if done else "nothing was done to the stack"


def was_cut_off(one: Sent, steps: Steps) -> bool:
    """Return whether the ingress that had *one* in hand was killed in that very instant.

    It was sent and not answered, so the load balancer sends it to no other, and answers 502. Judged by time
    alone: it was under way when the kill came. Such answers are no 2xx; they are counted and printed, and do
    not fail the run.
    """
    return one.status == BAD_GATEWAY and one.began_s <= steps.killed_at_s <= one.began_s + one.took_s


def report(sent: list[Sent], records: dict[str, Record], steps: Steps, took: dict[str, float]) -> str:
    """Return the figures, for people."""
    answers_s = sorted(one.took_s for one in sent)
    accepted = [one for one in sent if one.is_accepted]
    figures = {
        "sent": len(sent),
        "answers, by status": dict(Counter(one.status for one in sent).most_common()),
        "answer, s: median, 99 of 100, slowest": ", ".join(
            f"{answers_s[min(len(sent) - 1, int(len(sent) * share))]:.3f}" for share in (0.5, 0.99, 1)
        ),
        "answered after more than a second": dict(
            Counter(during(one, steps) for one in sent if one.took_s > 1)
        ),
        "handled": sum(record.state is State.SUCCEEDED for record in records.values()),
        "lost": len(accepted) - len(records),
        "cut off in the instant of the kill": sum(was_cut_off(one, steps) for one in sent),
        "went through the spool": steps.spooled,
        "begun a second time (their worker was killed)": sum(r.runs > 1 for r in records.values()),
        **{f"{name}, s": seconds for name, seconds in took.items()},
    }
    return "\n".join(f"{name:52} {value}" for name, value in figures.items())


def main() -> int:
    """Run from the command line; 0 also when this machine cannot run containers, with a line that says so."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=20.0, help="deliveries a second")
    parser.add_argument("--keep", action="store_true", help="leave the stack and its directory as they are")
    chosen = parser.parse_args()
    try:
        environment = engine_environment()
    except CannotRun as exc:
        print(f"compose-test skipped: {exc}")
        return 0
    place = Path(tempfile.mkdtemp(prefix="hookyard-compose-"))
    place.chmod(0o755)  # the bot in it is read by the containers' user
    stack = Stack(
        directory=place / f"yard{place.name[-6:].lower().replace('_', '0')}", environment=environment
    )
    stack.directory.mkdir()
    broken = ["it did not get to the end"]
    try:
        broken = asyncio.run(run(stack, deliveries=chosen.deliveries, rate=chosen.rate))
    finally:
        stack.save_logs(place)
        if not chosen.keep:
            stack.down()
    if not (broken or chosen.keep):
        shutil.rmtree(place)
    for fault in broken[:50]:
        print(f"BROKEN: {fault}")
    kept = "kept: all answered 2xx, but for what was cut off by the kill; all accepted handled"
    print(f"{len(broken)} promises broken; logs in {place}" if broken else kept)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
