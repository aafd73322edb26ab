"""Every kind of event that the emulator can send goes all the way: accepted, kept, matched, handled."""

from __future__ import annotations

from datetime import UTC, datetime

from gidgetlab.routing import Router
from gitlab_emulator.hooks.request import DeliveryIds, Secrets
from gitlab_emulator.hooks.sending import Answered, open_client, post
from gitlab_emulator.outgoing import headers, prepare
from gitlab_emulator.samples.catalogue import SAMPLES

from hookyard.ledger.records import State
from tests.fakes import until

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


async def test_every_sample_finds_its_handler(processes, listing, start_worker):
    """By its header alone: bodies without object_kind, project or object_attributes are no obstacle."""
    handled = []

    async def handler(event, gl):
        handled.append(event.event)

    router = Router()
    for event in {sample.event for sample in SAMPLES.values()}:
        router.add(handler, event)
    _, url = processes.ingress()
    async with open_client() as client:
        for name in SAMPLES:
            delivery = prepare(
                sample=name,
                event=None,
                file_bytes=None,
                amendments=[],
                gitlab_url="http://gitlab.test",
                secrets=Secrets(),
                now=NOW,
            )
            ids = DeliveryIds(delivery=name, event=f"event-of-{name}", request=f"request-of-{name}")
            sent = await post(client, url, headers(delivery, ids=ids, timestamp_s=0), delivery.body)
            assert sent.ending == Answered(status=202), name
    await start_worker(router, HOOKYARD_ALLOW_UNAUTHENTICATED=True)
    await until(lambda: len(handled) == len(SAMPLES))

    async def all_done():
        stats = await listing.stats()
        return stats.states.get(State.SUCCEEDED) == len(SAMPLES)

    await until(all_done)
    assert sorted(handled) == sorted(sample.event for sample in SAMPLES.values())
