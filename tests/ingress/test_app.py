"""The ingress as GitLab meets it: real app, real Redis."""

from __future__ import annotations

import asyncio
import csv
import time

import httpx
import pytest
from gidgetlab.sansio import Event

from hookyard.gitlab.events import read_event
from hookyard.ledger.records import State
from hookyard.settings.settings import decode_signing_token
from ingress.app import create_app
from ingress.authentication import sign
from tests.conftest import PAYLOADS
from tests.fakes import Chunks, until

SIGNING_TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HEADERS = {"content-type": "application/json", "x-gitlab-event": "Push Hook"}


def deliver(client, delivery_id="d-1", content=b"{}", path="/", **headers):
    """Post as GitLab does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, content=content, headers={**HEADERS, "webhook-id": delivery_id, **named})


async def call(app, chunks, *, path="/", method="POST", **headers):
    """Call *app* as a server would, and give the status, and how much had been read when it was sent."""
    sent = []

    async def send(message):
        sent.append((message, chunks.taken))

    named = {**HEADERS, "transfer-encoding": "chunked"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    await asyncio.wait_for(app(scope, chunks, send), 60)
    return (sent[0][0]["status"], sent[0][1]) if sent else None


async def test_a_new_delivery_is_202_and_the_same_again_is_200_and_changes_nothing(start_ingress, listing):
    client = await start_ingress()
    first = await deliver(client, content=b'{"object_kind": "push"}', x_gitlab_event_uuid="an-uuid")
    assert (first.status_code, first.content) == (202, b"")
    before = await listing.get("d-1")
    assert before.state is State.QUEUED
    assert before.delivery.body == b'{"object_kind": "push"}'
    assert before.delivery.headers["x-gitlab-event-uuid"] == "an-uuid"
    again = await deliver(client, content=b'{"object_kind": "[REDACTED]"}', x_gitlab_event="Issue Hook")
    assert (again.status_code, again.content) == (200, b"")
    assert await listing.get("d-1") == before
    assert (await listing.stats()).total == 1


async def test_fifty_posts_of_one_id_at_once_to_two_ingresses_are_one_delivery(start_ingress, listing):
    clients = [await start_ingress(), await start_ingress()]
    answers = await asyncio.gather(*(deliver(clients[n % 2]) for n in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert (await listing.stats()).total == 1


async def test_without_an_id_every_post_is_a_delivery(start_ingress, listing):
    client = await start_ingress()
    for _ in range(2):
        assert (await client.post("/", content=b"{}", headers=HEADERS)).status_code == 202
    assert (await listing.stats()).total == 2


def payloads():
    if not (PAYLOADS / "INDEX.tsv").exists():
        return [pytest.param("", "", marks=pytest.mark.skip(reason="the published payloads are not here"))]
    with (PAYLOADS / "INDEX.tsv").open(encoding="utf-8") as index:
        rows = csv.DictReader(index, delimiter="\t")
        return [pytest.param(row["path"], row["x_gitlab_event"], id=row["path"]) for row in rows]


@pytest.mark.parametrize(("path", "event"), payloads())
async def test_a_published_payload_is_kept_and_its_event_is_gidgetlabs(start_ingress, listing, path, event):
    body = (PAYLOADS / path).read_bytes()
    client = await start_ingress()
    assert (await deliver(client, content=body, x_gitlab_event=event)).status_code == 202
    kept = (await listing.get("d-1")).delivery
    expected = Event.from_http({**HEADERS, "x-gitlab-event": event}, body)
    rebuilt = read_event(kept.event, kept.content_type, kept.body)
    assert (rebuilt.event, rebuilt.data) == (expected.event, expected.data)


@pytest.mark.parametrize("path", ["/", "", "//", "///", "/?a=b", "/?", "?a=b", "//?x=//y"])
async def test_a_post_to_the_root_is_taken_however_it_is_written(start_ingress, path):
    client = await start_ingress()
    assert (await deliver(client, path=path)).status_code == 202
    app = client._transport.app
    assert await call(app, Chunks(b"{}"), path=path.partition("?")[0], webhook_id="d-2") == (202, 1)


async def test_under_a_prefix_the_root_is_where_the_prefix_ends(start_ingress):
    app = (await start_ingress())._transport.app
    transport = httpx.ASGITransport(app, root_path="/hooks")
    async with httpx.AsyncClient(transport=transport, base_url="http://ingress") as client:
        for n, path in enumerate(("/hooks", "/hooks/")):
            assert (await deliver(client, f"d-{n}", path=path)).status_code == 202
        assert (await deliver(client, path="/hooks/x")).status_code == 404


@pytest.mark.parametrize(
    "path", ["/x", "/health/", "/ready/x", "/index.html", "/%2e%2e/etc", "//example.com/x"]
)
async def test_there_is_nothing_elsewhere(start_ingress, path):
    client = await start_ingress()
    answer = await deliver(client, path=f"http://ingress{path}")
    assert answer.status_code == 404
    assert not answer.has_redirect_location


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_other_methods_are_405_and_told_what_is_allowed(start_ingress, method):
    answer = await (await start_ingress()).request(method, "/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_what_says_that_it_is_too_large_is_refused_unread(start_ingress):
    app = (await start_ingress(HOOKYARD_MAX_BODY_BYTES=10))._transport.app
    assert await call(app, Chunks(b"x" * 11), content_length="11") == (413, 0)
    assert await call(app, Chunks(b"x" * 11), content_length="11", expect="100-continue") == (413, 0)


async def test_what_turns_out_too_large_is_refused_before_all_of_it_is_read(start_ingress, listing):
    app = (await start_ingress(HOOKYARD_MAX_BODY_BYTES=10))._transport.app
    assert await call(app, Chunks(*[b"x" * 6] * 9)) == (413, 2)
    assert (await listing.stats()).total == 0


async def test_the_limit_itself_is_taken(start_ingress):
    client = await start_ingress(HOOKYARD_MAX_BODY_BYTES=10)
    assert (await deliver(client, content=b'"01234567"')).status_code == 202
    answer = await deliver(client, content=b'"012345678"')
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize("chunks", [(), (b'{"a":',), (b"{}",)])
async def test_a_client_that_leaves_amid_its_body_leaves_nothing_behind(start_ingress, listing, chunks):
    app = (await start_ingress())._transport.app
    assert await call(app, Chunks(*chunks, then="disconnect")) is None
    assert (await listing.stats()).total == 0


@pytest.mark.parametrize("body", [b"{}", b"{malformed", b"[" * 100_000, b""])
@pytest.mark.parametrize(
    "headers", [{}, {"x_gitlab_token": "wrong"}, {"webhook_signature": "v1,AAAA", "webhook_timestamp": "1"}]
)
async def test_who_cannot_prove_to_be_gitlab_is_told_only_that(start_ingress, listing, headers, body):
    client = await start_ingress(GL_SECRET="right-one", GL_SIGNING_TOKEN=SIGNING_TOKEN)
    answer = await deliver(client, content=body, **headers)
    assert answer.status_code == 401
    assert "right-one" not in answer.text
    assert (await listing.stats()).total == 0


@pytest.mark.parametrize("event", [{}, {"x_gitlab_event": ""}])
async def test_a_stranger_learns_nothing_about_what_else_is_missing(start_ingress, event):
    client = await start_ingress(GL_SECRET="right-one")
    headers = {"content-type": "x", "webhook-id": "bad id"}
    headers.update({name.replace("_", "-"): value for name, value in event.items()})
    assert (await client.post("/", content=b"{", headers=headers)).status_code == 401


async def test_who_vouched_is_kept_and_never_the_secret(start_ingress, listing, client):
    ingress = await start_ingress(GL_SECRET="old-secret,new-secret", GL_SIGNING_TOKEN=SIGNING_TOKEN)
    assert (await deliver(ingress, "by-token", x_gitlab_token="new-secret")).status_code == 202
    timestamp = str(int(time.time()))
    signature = sign(
        decode_signing_token(SIGNING_TOKEN),
        message_id=b"by-signature",
        timestamp=timestamp.encode(),
        body=b"{}",
    )
    signed = {"webhook_timestamp": timestamp, "webhook_signature": f"v1,{signature.decode()}"}
    assert (await deliver(ingress, "by-signature", **signed)).status_code == 202
    said = [(await listing.get(name)).delivery.authenticated_by for name in ("by-token", "by-signature")]
    assert [text.partition(" (")[0] for text in said] == ["secret token 2", "signing token 1"]
    stored = b"".join([*(await client.hgetall("hookyard:delivery:by-token")).values()])
    assert b"new-secret" not in stored


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"9" * 5000, {}, 400),
        (b"{}", {"x_gitlab_event": ""}, 400),
        (b"{}", {"content_type": "text/plain"}, 415),
        (b"{}", {"content_type": "application/json; charset=bogus"}, 415),
        (b"{}", {"webhook_id": "bad id"}, 400),
        (b'{"object_kind": []}', {}, 202),
        (b'{"object_kind": {}, "project": {"path_with_namespace": "\\ud800"}}', {}, 202),
    ],
)
async def test_what_cannot_be_read_is_refused_in_one_plain_line(start_ingress, content, headers, status):
    answer = await deliver(await start_ingress(), content=content, **headers)
    assert answer.status_code == status
    assert answer.text.count("\n") == (status != 202)


async def test_health_ready_and_metrics_answer(start_ingress):
    client = await start_ingress(GL_SECRET="right-one")
    await deliver(client, x_gitlab_token="right-one")
    await deliver(client, x_gitlab_token="right-one")
    await deliver(client, x_gitlab_token="wrong-one")
    assert (await client.get("/health")).status_code == 200
    ready = await client.get("/ready")
    assert (ready.status_code, ready.json()["ready"], ready.json()["redis"]["ok"]) == (200, True, True)
    metrics = (await client.get("/metrics")).text
    assert 'hookyard_ingress_requests_total{reason="kept",status="202"} 1.0' in metrics
    assert 'hookyard_ingress_requests_total{reason="duplicate",status="200"} 1.0' in metrics
    assert 'hookyard_ingress_requests_total{reason="wrong_token",status="401"} 1.0' in metrics
    assert "hookyard_ingress_answer_seconds_count 2.0" in metrics
    assert "right-one" not in ready.text + metrics


async def test_an_ingress_stops_at_once_whatever_it_was_asking_of_redis(make_settings):
    """On Python 3.11 a cancellation that meets a command to Redis at the wrong moment is lost."""
    async with asyncio.timeout(60):
        for steps in range(30):
            app = create_app(make_settings())
            async with app.router.lifespan_context(app):
                for _ in range(steps):
                    await asyncio.sleep(0)


async def test_redis_lost_and_found_is_503_and_one_log_line_each(make_settings, own_redis, capsys):
    from hookyard.telemetry import logs

    logs.configure("ingress", log_format="json")
    app = create_app(make_settings(REDIS_URL=own_redis.url))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://ingress") as client,
    ):
        assert (await deliver(client, "before")).status_code == 202
        own_redis.kill()
        for n in range(5):
            refused = await deliver(client, f"lost-{n}")
            assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (503, True)
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()["redis"]["ok"]) == (503, False)
        assert (await client.get("/health")).status_code == 200
        own_redis.start()

        async def taken_again():
            return (await deliver(client, "after")).status_code == 202

        await until(taken_again)
        assert (await deliver(client, "before")).status_code == 200
        assert (await client.get("/ready")).status_code == 200
    told = capsys.readouterr().err
    assert told.count('"Redis unavailable"') == told.count('"Redis available again"') == 1
