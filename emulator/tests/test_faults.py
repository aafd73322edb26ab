"""Faults on order."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import httpx
import pytest
from gitlab_emulator.app import create_app
from gitlab_emulator.faults import Fault, FaultError, Faults, read_fault
from serving_app import serving

NOTES = "/api/v4/projects/1/issues/1/notes"


async def test_the_next_matching_calls_fail_and_then_all_is_well(web: httpx.AsyncClient) -> None:
    """Others go through meanwhile; nothing is done by a call that fails."""
    order = {
        "calls": 2,
        "status": 429,
        "headers": {"Retry-After": "2"},
        "method": "post",
        "path": "/api/v4/projects/1/",
    }
    assert (await web.post("/-/faults", json=order)).status_code == 201
    assert (await web.get(NOTES)).status_code == 200
    for left in (1, 0):
        answer = await web.post(NOTES, json={"body": "Hi"})
        assert (answer.status_code, answer.headers["Retry-After"], answer.text) == (429, "2", "Retry later\n")
        assert sum(fault["calls"] for fault in (await web.get("/-/faults")).json()) == left
    assert (await web.post(NOTES, json={"body": "Hi"})).status_code == 201
    assert (await web.get(NOTES)).headers["X-Total"] == "2"
    by_fault = [call["by_fault"] for call in (await web.get("/-/calls")).json() if call["method"] == "POST"]
    assert by_fault == [True, True, False]


@pytest.mark.parametrize(
    ("order", "kind", "text"),
    [
        ({"status": 500}, "application/json", '{"message":"500 Internal Server Error"}'),
        ({"status": 520}, "text/html; charset=utf-8", "<html><body><h1>Error 520</h1></body></html>\n"),
        ({"status": 422, "body": {"error": "no message"}}, "application/json", '{"error":"no message"}'),
        ({"status": 502, "body": "Bad Gateway"}, "text/plain; charset=utf-8", "Bad Gateway"),
        ({"status": 200, "body": ""}, "text/plain; charset=utf-8", ""),
    ],
)
async def test_a_fault_answers_with_any_status_and_body(
    web: httpx.AsyncClient, order: dict[str, object], kind: str, text: str
) -> None:
    """Also with those that HTTP does not know."""
    await web.post("/-/faults", json=order)
    answer = await web.get("/api/v4/user")
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (order["status"], kind, text)


@pytest.mark.parametrize("status", [204, 304])
async def test_a_fault_without_a_body_has_none(web: httpx.AsyncClient, status: int) -> None:
    """HTTP allows none there."""
    await web.post("/-/faults", json={"status": status, "body": "ignored"})
    assert (await web.get("/api/v4/user")).content == b""


@pytest.mark.parametrize("order", [{"delay_s": 0.01}, {"delay_s": 0, "status": None}])
async def test_without_a_status_the_answer_is_true_and_only_late(
    web: httpx.AsyncClient, order: dict[str, object]
) -> None:
    """A GitLab that is slow, not broken."""
    await web.post("/-/faults", json=order)
    answer = await web.get("/api/v4/user")
    assert (answer.status_code, answer.json()["username"]) == (200, "garden-bot")
    assert [call["by_fault"] for call in (await web.get("/-/calls")).json()] == [True]


async def test_a_dropped_connection_is_an_error_of_the_transport(web: httpx.AsyncClient) -> None:
    """Just what a client sees of a server that hangs up; nothing is done, and the record says so."""
    await web.post("/-/faults", json={"drop": True, "method": "POST"})
    with pytest.raises(httpx.RemoteProtocolError):
        await web.post(NOTES, json={"body": "Hi"})
    assert (await web.get(NOTES)).headers["X-Total"] == "1"
    assert [call["status"] for call in (await web.get("/-/calls")).json()] == [0, 200]


async def test_a_real_server_closes_the_socket_without_a_byte() -> None:
    """And goes on serving others."""
    async with serving(create_app()) as address, httpx.AsyncClient(base_url=address) as web:
        await web.post("/-/faults", json={"drop": True})
        reader, writer = await asyncio.open_connection(*address.removeprefix("http://").split(":"))
        writer.write(b"GET /api/v4/user HTTP/1.1\r\nHost: gitlab\r\n\r\n")
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()
        assert (await web.get("/api/v4/user")).status_code == 200


async def test_orders_can_be_taken_back(web: httpx.AsyncClient) -> None:
    """All of them."""
    await web.post("/-/faults", json={"calls": 9})
    assert (await web.delete("/-/faults")).status_code == 204
    assert (await web.get("/-/faults")).json() == []
    assert (await web.get("/api/v4/user")).status_code == 200


async def test_faults_come_before_the_token_is_looked_at(web: httpx.AsyncClient) -> None:
    """And before the path is: a server that is down is down for everybody."""
    await web.post("/-/faults", json={"status": 503})
    assert (await web.get("/api/v4/unknown")).status_code == 503


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ([], "JSON object"),
        ({"call": 1}, "'call'"),
        ({"calls": 0}, "calls"),
        ({"calls": "3"}, "calls"),
        ({"calls": True}, "calls"),
        ({"status": 99}, "status"),
        ({"status": 101}, "status"),
        ({"status": 1000}, "status"),
        ({"delay_s": -1}, "delay_s"),
        ({"delay_s": "1"}, "delay_s"),
        ({"headers": ["x"]}, "headers"),
        ({"headers": {"a b": "x"}}, "'a b'"),
        ({"headers": {"X": "a\r\nb"}}, "'X'"),
        ({"headers": {"Content-Length": "3"}}, "'Content-Length'"),
        ({"method": 3}, "method"),
        ({"path": []}, "path"),
        ({"drop": 1}, "drop"),
    ],
)
def test_an_order_that_makes_no_sense_names_the_field(order: object, field: str) -> None:
    """So that whoever wrote it can mend it."""
    with pytest.raises(FaultError, match=re.escape(field)):
        read_fault(order)


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[]", 400), (b"", 400), (b'{"calls": 0}', 400)])
async def test_an_order_that_cannot_be_read_is_refused(
    web: httpx.AsyncClient, body: bytes, status: int
) -> None:
    """With a line that says why."""
    answer = await web.post("/-/faults", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_orders_are_used_up_first_come_first_served() -> None:
    """The first that matches, not the closest."""
    faults = Faults()
    faults.order(Fault(status=500, method="GET"))
    faults.order(Fault(status=502, calls=2))
    taken = [faults.take(method, "/api/v4/user") for method in ("POST", "GET", "GET", "GET")]
    assert [fault.status if fault else None for fault in taken] == [502, 500, 502, None]
