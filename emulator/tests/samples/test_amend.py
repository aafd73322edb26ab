"""Orders that change a sample."""

from __future__ import annotations

import re

import pytest
from gitlab_emulator.samples.amend import amended

BODY = {"object_attributes": {"action": "open", "labels": [{"title": "bug"}]}, "list": [1, 2]}


@pytest.mark.parametrize(
    ("order", "path", "value"),
    [
        ("object_attributes.action=close", ("object_attributes", "action"), "close"),
        ("object_attributes.iid=7", ("object_attributes", "iid"), 7),
        ("object_attributes=null", ("object_attributes",), None),
        ("new.deep.er=true", ("new", "deep", "er"), True),
        ("object_attributes.labels.0.title=a=b", ("object_attributes", "labels", 0, "title"), "a=b"),
        ("list.1=[3]", ("list", 1), [3]),
        ('quoted="7"', ("quoted",), "7"),
        ("empty=", ("empty",), ""),
    ],
)
def test_a_value_is_set_where_the_path_leads(order: str, path: tuple[str | int, ...], value: object) -> None:
    """JSON where it is JSON, text otherwise."""
    found: object = amended(BODY, [order])
    for part in path:
        found = found[part]  # type: ignore[index]
    assert found == value


def test_the_original_stays_as_it_was() -> None:
    """Only a copy is changed, and several orders add up."""
    changed = amended(BODY, ["list.0=9", "list.1=8"])
    assert changed == {**BODY, "list": [9, 8]}
    assert BODY["list"] == [1, 2]


@pytest.mark.parametrize("order", ["", "action", "=close", "list.2=1", "list.x=1", "list.-1=1", "list.0.a=1"])
def test_an_order_that_leads_nowhere_is_named(order: str) -> None:
    """With what was given, so that it can be mended."""
    with pytest.raises(ValueError, match=re.escape(repr(order))):
        amended(BODY, [order])
