"""The service that calls back, with a receiver of callbacks on a real port."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from gitlab_emulator import third_party
from gitlab_emulator.app import create_app
from gitlab_emulator.third_party import JobState, ThirdParty
from serving_app import serving
from waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

FOR_EVER_S = 3_600.0


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that keeps the requests it gets, and answers with one status after the other; 0: never."""
    requests: list[str] = []
    open_for_ever = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        requests.append(head.split("\r\n")[0])
        status = statuses[min(len(requests), len(statuses)) - 1]
        if not status:
            await open_for_ever.wait()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/done?kept=1", requests
    finally:
        open_for_ever.set()
        server.close()


@asynccontextmanager
async def served(
    now: datetime, callback_url: str | None, **options: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, ThirdParty]]:
    """The stand-in within an emulator, and a client of that."""
    service = ThirdParty(callback_url, clock=lambda: now, **{"delay_s": 0, "retry_s": 0, **options})
    transport = httpx.ASGITransport(app=create_app(third_party=service))
    async with httpx.AsyncClient(transport=transport, base_url="http://gitlab.test") as web:
        yield web, service
    await service.aclose()


async def post(web: httpx.AsyncClient, parameter: object = "soil") -> httpx.Response:
    """Order a job."""
    return await web.post("/api/endpoint", json={"some_parameter": parameter})


def states(service: ThirdParty) -> Counter[JobState]:
    """How many jobs are in which state."""
    return Counter(job.state for job in service.jobs())


@pytest.mark.parametrize(
    ("given", "sent"), [("wet soil & more?", "wet soil & more?"), (7, "7"), (True, "true")]
)
async def test_a_job_is_answered_at_once_and_called_back_about(now, given, sent) -> None:
    """The callback has the identifier of the answer, and what the callback URL had already."""
    async with receiver(200) as (url, requests), served(now, url) as (web, service):
        answer = await post(web, given)
        assert answer.status_code == 200
        assert answer.json() == {"identifier": answer.json()["identifier"], "success": True}
        assert UUID(answer.json()["identifier"]).version == 4
        await until(lambda: states(service)[JobState.CALLED_BACK])
    method, target, _ = requests[0].split(" ")
    assert (method, urlsplit(target).path) == ("GET", "/done")
    assert parse_qs(urlsplit(target).query) == {
        "kept": ["1"],
        "success": ["true"],
        "identifier": [answer.json()["identifier"]],
        "some_parameter": [sent],
    }


PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"files": {"file": ("plan.pdf", PDF, "application/pdf")}}


@pytest.mark.parametrize(
    ("query", "request_", "sent"),
    [
        ("some_parameter=some_value", {}, "some_value"),
        ("some_parameter=two%20words%26more", {}, "two words&more"),
        ("some_parameter=", {}, ""),
        ("some_parameter=query", {"json": {"some_parameter": "body"}}, "query"),
        ("some_parameter=soil", {"content": PDF, "headers": {"Content-Type": "application/pdf"}}, "soil"),
        ("some_parameter=soil", {"content": b"{", "headers": JSON}, "soil"),
        ("some_parameter=soil", MULTIPART, "soil"),
        ("", {"json": {"some_parameter": "soil"}}, "soil"),
        ("", {"content": b'{"some_parameter": "soil"}'}, "soil"),
        ("", {"data": {"some_parameter": "soil"}}, "soil"),
        ("", {**MULTIPART, "data": {"some_parameter": "wet soil é"}}, "wet soil é"),
        ("", {"json": {"some_parameter": None}}, None),
        ("", {"json": {"other": 1}}, None),
        ("", {"json": ["some_parameter"]}, None),
        ("", {"data": {"other": "x"}}, None),
        ("", MULTIPART, None),
        ("", {}, None),
        ("", {"content": PDF, "headers": {"Content-Type": "application/pdf"}}, None),
        ("", {"content": PDF * 100_000}, None),
        ("", {"content": b"plain", "headers": {"Content-Type": "text/plain"}}, None),
        ("", {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, None),
        ("", {"content": b"x", "headers": {"Content-Type": b"multipart/form-data; boundary=\xe9"}}, None),
        ("", {"content": b"", "headers": JSON}, None),
        ("", {"content": b"\xff\xfe", "headers": JSON}, None),
        ("", {"content": b"[" * 60_000, "headers": JSON}, None),
        ("", {"content": b'{"some_parameter": "\\ud800"}', "headers": JSON}, None),
        ("", {"content": b"&" * 60_000, "headers": FORM}, None),
    ],
)
async def test_the_parameter_is_optional_and_any_body_is_taken(now, query, request_, sent) -> None:
    """From the query, or from a JSON or form body; any other body is read and ignored."""
    async with receiver(200) as (url, requests), served(now, url) as (web, service):
        answer = await web.post(f"/api/endpoint?{query}", **request_)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"identifier": answer.json()["identifier"], "success": True}
        await until(lambda: states(service)[JobState.CALLED_BACK])
    called = parse_qs(urlsplit(requests[0].split(" ")[1]).query, keep_blank_values=True)
    assert called.pop("some_parameter", [None]) == [sent]
    assert called == {"kept": ["1"], "success": ["true"], "identifier": [answer.json()["identifier"]]}


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Length: 0\r\n", b""),  # httpie
        (b"", b""),  # no length at all: no body
        (b"Transfer-Encoding: chunked\r\n", b"5\r\n%PDF-\r\n0\r\n\r\n"),
        (b"Content-Type: \r\nContent-Length: 5\r\n", b"%PDF-"),
    ],
)
async def test_a_job_is_taken_off_the_wire_as_command_line_tools_send_it(head, body) -> None:
    """Without a body and without a content type, over a real connection."""
    async with serving(create_app()) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(address).port)
        start = b"POST /api/endpoint?some_parameter=some_value HTTP/1.1\r\n"
        writer.write(start + b"Host: x\r\nConnection: close\r\n" + head + b"\r\n" + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"success":true' in answer


async def test_nobody_is_called_before_the_delay_has_passed(now) -> None:
    """The job waits, and says until when."""
    async with receiver(200) as (url, requests), served(now, url, delay_s=FOR_EVER_S) as (web, service):
        await post(web)
        (job,) = service.jobs()
        assert (job.state, job.received_at, job.attempts) == (JobState.WAITING, now, 0)
        assert job.due_at == now + timedelta(seconds=FOR_EVER_S)
        assert requests == []


async def test_the_delay_is_five_seconds_unless_told_otherwise(now) -> None:
    """As the issue wants it."""
    service = ThirdParty("http://127.0.0.1:9/", clock=lambda: now)
    assert service.delay_s == 5
    await service.aclose()


async def test_without_a_callback_url_jobs_are_taken_and_nobody_is_called(now) -> None:
    """The list says so."""
    async with served(now, None) as (web, _):
        answer = await post(web)
        assert answer.json()["success"] is True
        (job,) = (await web.get("/-/jobs")).json()
    assert (job["identifier"], job["state"]) == (answer.json()["identifier"], "no callback URL")
    assert (job["some_parameter"], job["received_at"]) == ("soil", now.isoformat())


async def test_a_callback_that_fails_is_made_again(now) -> None:
    """Until it is taken."""
    async with receiver(500, 404, 200) as (url, requests), served(now, url) as (web, service):
        await post(web)
        await until(lambda: states(service)[JobState.CALLED_BACK])
        (job,) = service.jobs()
        assert (job.attempts, job.last_attempt) == (3, "answered 200")
    assert len(set(requests)) == 1
    assert len(requests) == 3


async def test_a_callback_that_fails_each_time_is_given_up_and_shown(now) -> None:
    """With what came of it."""
    async with receiver(503) as (url, requests), served(now, url) as (web, service):
        await post(web)
        await until(lambda: states(service)[JobState.FAILED])
        (job,) = (await web.get("/-/jobs")).json()
    assert (job["attempts"], job["last_attempt"], job["state"]) == (4, "answered 503", "failed")
    assert len(requests) == 4


async def test_while_it_waits_for_another_attempt_a_job_says_so(now) -> None:
    """And when that will be: each time twice as late."""
    async with receiver(503) as (url, _), served(now, url, retry_s=FOR_EVER_S) as (web, service):
        await post(web)
        await until(lambda: states(service)[JobState.RETRYING])
        (job,) = service.jobs()
        assert (job.attempts, job.due_at) == (1, now + timedelta(seconds=FOR_EVER_S))


async def test_nobody_listening_is_a_failure_like_others(now, unused_tcp_port) -> None:
    """No traceback, no end of the emulator."""
    async with served(now, f"http://127.0.0.1:{unused_tcp_port}/") as (web, service):
        await post(web)
        await until(lambda: states(service)[JobState.FAILED])
        assert service.jobs()[0].last_attempt == "connection refused"


async def test_at_the_end_pending_callbacks_are_made_at_once(now, caplog) -> None:
    """And the log says how many were taken."""
    with caplog.at_level(logging.WARNING, "gitlab_emulator"):
        async with (
            receiver(200, 200, 500) as (url, requests),
            served(now, url, delay_s=FOR_EVER_S) as (web, service),
        ):
            for _ in range(3):
                await post(web)
            closing = await service.aclose()
            assert (closing.made, closing.not_made) == (2, 1)
            assert states(service) == {JobState.CALLED_BACK: 2, JobState.FAILED: 1}
    assert len(requests) == 3
    assert "callbacks still due at the end: 3 (made at once: 2, failed or not made: 1)" in caplog.text


async def test_at_the_end_nobody_is_waited_for_long(now) -> None:
    """What got no answer in time counts as not made."""
    async with receiver(0) as (url, requests), served(now, url) as (web, service):
        await post(web)
        await until(lambda: requests)
        closing = await service.aclose(within_s=0)
        assert (closing.made, closing.not_made) == (0, 1)
        assert states(service) == {JobState.NOT_MADE: 1}


async def test_only_the_newest_jobs_are_remembered(now, monkeypatch) -> None:
    """Those that are open are never forgotten: no more are taken instead, with a time to come back."""
    monkeypatch.setattr(third_party, "MAX_OPEN", 2)
    async with served(now, "http://127.0.0.1:9/", delay_s=FOR_EVER_S) as (web, service):
        assert [(await post(web)).status_code for _ in range(3)] == [200, 200, 503]
        refused = await post(web)
        assert refused.headers["retry-after"] == "5"
        assert "try again later" in refused.json()["error"]
        assert len(service.jobs()) == 2
        service.callback_url = None
        for number in range(third_party.MAX_ENDED + 5):
            service.take(str(number))
        parameters = [job.some_parameter for job in service.jobs()]
    assert len(parameters) == 2 + third_party.MAX_ENDED
    assert parameters.count("soil") == 2
    assert "4" not in parameters


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_not_allowed(now, method) -> None:
    """GitLab's API, which has all other paths there, does not get them either."""
    async with served(now, None) as (web, _):
        answer = await web.request(method, "/api/endpoint")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("text", "query", "request_"),
    [
        ("longer than 1000", "", {"json": {"some_parameter": "x" * 1_001}}),
        ("longer than 1000", f"some_parameter={'x' * 1_001}", {}),
        ("text, a number", "", {"json": {"some_parameter": ["x"]}}),
        ("text, a number", "", {"json": {"some_parameter": {}}}),
        ("text, a number", "", {"content": b"some_parameter[]=x", "headers": FORM}),
    ],
)
async def test_a_parameter_that_fits_into_no_address_is_refused_in_one_line(
    now, text, query, request_
) -> None:
    """And makes no job."""
    async with served(now, None) as (web, service):
        answer = await web.post(f"/api/endpoint?{query}", **request_)
        assert service.jobs() == ()
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert text in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


async def test_the_rest_of_api_is_gitlabs(now) -> None:
    """One path is taken from it."""
    async with served(now, None) as (web, _):
        assert (await web.get("/api/v4/version")).status_code == 200
        assert (await web.post("/api/endpoints")).status_code == 404
