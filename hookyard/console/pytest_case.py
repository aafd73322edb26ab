"""A delivery as a test case for the bot: it passes or fails as the delivery did. Rule: pure."""

from __future__ import annotations

import json
import pprint
import re
from typing import TYPE_CHECKING, Any, Final

from hookyard.console.redaction import redact
from hookyard.ledger.records import Outcome

if TYPE_CHECKING:
    from hookyard.ledger.records import Record

_WIDTH: Final = 100
_NOT_A_NAME: Final = re.compile(r"\W+", re.ASCII)
_TEMPLATE: Final = '''"""Delivery {id}, out of Hookyard, without secrets, addresses and names."""

import pytest

# from mybot import bot   # your bot; or set hookyard_router in conftest.py

EVENT = {event!r}
BODY = {body}


# @pytest.fixture
# def hookyard_router():
#     return bot


def test_{name}(deliver):
    """It ended as {state}{error}."""
    done = deliver(BODY, EVENT, runs=1)
{asserts}
'''


def pytest_case(record: Record) -> str:
    """Return the text of a test module; what it asserts is where each handler stands.

    :raises ValueError: for a body that is no JSON.
    """
    delivery = record.delivery
    try:
        data: Any = json.loads(redact(delivery.body))
    except RecursionError as exc:
        raise ValueError("its body is nested too deeply") from exc
    outcomes = {name: standing.outcome for name, standing in record.standings().items()}
    lines = [
        f"    assert done.attempt_of({name!r}).outcome == {outcome.value!r}"
        for name, outcome in outcomes.items()
        if outcome is not Outcome.SUPERSEDED
    ]
    return _TEMPLATE.format(
        id=delivery.id,
        event=delivery.event,
        body=pprint.pformat(data, width=_WIDTH, sort_dicts=False),
        name=_NOT_A_NAME.sub("_", f"{delivery.event} {delivery.object or ''}".lower()).strip("_")
        or "delivery",
        state=record.state.value,
        error=f": {_plain(record.error)}" if record.error else "",
        asserts="\n".join(lines) or f"    assert done.state == {record.state.value!r}",
    )


def _plain(text: str) -> str:
    """Return *text* as it may stand in a docstring."""
    return text.replace("\\", "/").replace('"""', "'''").rstrip('"')
