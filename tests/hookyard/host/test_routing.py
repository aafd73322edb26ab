"""Finding handlers: gidgetlab's matching, and what it stumbles over."""

from __future__ import annotations

import functools
import sys

import pytest
from gidgetlab.routing import Router
from gidgetlab.sansio import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from hookyard.host.routing import Finder, HandlersError, handler_name, load_router


async def one(event, gl):
    """Do nothing."""


async def two(event, gl):
    """Do nothing."""


def a_router():
    router = Router()
    router.add(one, "Issue Hook")
    router.add(two, "Issue Hook", action="open")
    router.add(one, "Issue Hook", action="open")
    router.add(two, "Issue Hook", iid=7)
    return router


async def names(router, data, event="Issue Hook"):
    return [handler.name for handler in await Finder(router).find(Event(data, event=event))]


ONE, TWO = f"{__name__}:one", f"{__name__}:two"


async def test_shallow_come_before_deep_and_a_second_call_has_a_name_of_its_own():
    found = await names(a_router(), {"object_attributes": {"action": "open", "iid": 7}})
    assert found == [ONE, TWO, f"{ONE}#2", f"{TWO}#2"]


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        7,
        b"bytes",
        {},
        {"object_attributes": None},
        {"object_attributes": []},
        {"object_attributes": "x"},
        {"object_attributes": {"action": ["open"]}},
        {"object_attributes": {"action": {"open": 1}}},
    ],
    ids=repr,
)
async def test_a_body_of_any_shape_matches_the_shallow_handlers(data):
    assert await names(a_router(), data) == [ONE]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    attributes=st.dictionaries(
        st.sampled_from(["action", "iid", "x"]),
        st.sampled_from(["open", "close", 7, 7.0, True, None]) | json_values,
    )
)
@settings(max_examples=200, deadline=None)
async def test_where_gidgetlab_does_not_stumble_the_handlers_are_those_it_calls(attributes):
    called = []

    def noting(name):
        async def call(event):
            called.append(name)

        return call

    router, ours = Router(), Router()
    for place, (event, details) in enumerate(
        [
            ("Issue Hook", {}),
            ("Issue Hook", {"action": "open"}),
            ("Issue Hook", {"iid": 7}),
            ("Issue Hook", {"x": None}),
        ]
    ):
        call = noting(place)
        call.__qualname__ = str(place)
        router.add(call, event, **details)
        ours.add(call, event, **details)
    event = Event({"object_attributes": attributes}, event="Issue Hook")
    try:
        await router.dispatch(event)
    except TypeError:  # an unhashable value: gidgetlab 2.1.2 stumbles
        return
    assert [int(handler.name.split(":")[1]) for handler in await Finder(ours).find(event)] == called


def test_names_of_what_can_be_called():
    class Callable:
        async def __call__(self, event, gl):
            """Do nothing."""

    assert handler_name(functools.partial(functools.partial(one), gl=None)) == ONE
    assert handler_name(Callable()).endswith("Callable")


def test_a_router_is_loaded_from_the_current_directory(tmp_path, monkeypatch):
    (tmp_path / "mybot_a.py").write_text("from gidgetlab.routing import Router\nrouter = Router()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert isinstance(load_router("mybot_a:router"), Router)


@pytest.mark.parametrize(
    ("source", "string", "words"),
    [
        ("", "mybot_b_missing:router", "there is no module mybot_b_missing"),
        (
            "import nothing_here",
            "mybot_b:router",
            "importing it failed with ModuleNotFoundError: No module named 'nothing_here'",
        ),
        ("x = 1 / 0", "mybot_c:router", "line 1"),
        ("def broken(:", "mybot_d:router", "SyntaxError"),
        ("import sys; sys.exit(3)", "mybot_e:router", "SystemExit: 3"),
        (
            "from gidgetlab.routing import Router; bot = Router()",
            "mybot_f:router",
            "no gidgetlab Router named router; it has bot",
        ),
        ("router = 3", "mybot_g:router", "no gidgetlab Router named router"),
    ],
)
def test_what_cannot_be_loaded_says_why(tmp_path, monkeypatch, source, string, words):
    (tmp_path / f"{string.partition(':')[0]}.py").write_text(source) if source else None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    with pytest.raises(HandlersError) as caught:
        load_router(string)
    assert words in str(caught.value)
    assert f"HOOKYARD_HANDLERS={string}" in str(caught.value)
