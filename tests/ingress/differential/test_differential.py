"""However bytes arrive, the same comes of them, and the same as under plain uvicorn but for known reasons."""

from __future__ import annotations

import logging
import random
import re

import pytest
import structlog

from hookyard.settings.settings import load
from ingress.connection import Connections, protocol
from tests.ingress.differential.connecting import Server
from tests.ingress.differential.mutation import announces_nothing, find_fault, mutate
from tests.ingress.differential.table import BODY, TABLE


@pytest.fixture(autouse=True)
def _quiet():
    """Refusals are many here, and logging them would be most of the work."""
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    logging.disable(logging.NOTSET)


def start(kind=None):
    """An endpoint on our protocol, or on *kind*."""
    ours = protocol(Connections(most=100, keep_alive_s=60, refused=lambda *_given: None))
    return Server(load(GL_SECRET="right", HOOKYARD_LOG_LEVEL="error"), kind or ours)


def test_the_table_is_large_and_names_each_request_once():
    assert len({raw.name for raw in TABLE}) == len(TABLE) > 160


async def test_our_server_differs_from_plain_uvicorn_only_where_the_table_says_why():
    ours, plain = start(), start("httptools")
    for raw in TABLE:
        found, theirs = await ours.connect([raw.data]), await plain.connect([raw.data])
        assert (found == theirs) == (raw.differs is None), (raw, found, theirs)


async def test_where_segments_end_makes_no_difference():
    """Each request is cut in two at every place, then into single bytes: some 40,000 connections."""
    ours = start()
    for raw in TABLE:
        whole = await ours.connect([raw.data])
        for at in range(1, len(raw.data)):
            assert await ours.connect([raw.data[:at], raw.data[at:]]) == whole, (raw, at)
        assert await ours.connect([raw.data[at : at + 1] for at in range(len(raw.data))]) == whole, raw


async def test_what_is_accepted_was_announced_so_and_is_empty_only_where_that_was_announced():
    """An accepted body that is not what its sender framed would be lost, or somebody else's request."""
    ours, accepted = start(), 0
    for raw in TABLE:
        outcome = await ours.connect([raw.data])
        assert outcome.statuses.count(202) == len(outcome.kept), raw
        for _, _, body in outcome.kept:
            if not body:
                assert announces_nothing(raw.data), raw
            elif b"ransfer-" in raw.data:
                assert body.strip() == BODY, raw
            else:
                assert re.search(rb"(?i)content-length:[ \t]*0*%d[ \t]*\r\n" % len(body), raw.data), raw
                assert body in raw.data
        accepted += len(outcome.kept)
    assert accepted > 80


async def test_mutated_requests_come_to_the_same_however_they_are_cut():
    """``make fuzz`` tries a hundred thousand."""
    ours, chance = start(), random.Random()
    for _ in range(2000):
        data = mutate(chance)
        fault = await find_fault(ours, data, chance)
        assert fault is None, (data, fault)
