"""Finding handlers: gidgetlab's matching, and what it stumbles over."""

from __future__ import annotations

import functools
import sys
import unittest.mock

import pytest
from gidgetlab.routing import Router
from gidgetlab.sansio import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from hookyard import handler_name, policy
from hookyard.host.load import HandlersError, load_router
from hookyard.host.registry import Registry, is_plain


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


def names(router, data, event="Issue Hook"):
    registry = Registry(router)
    return [registry.infos[place].name for place in registry.find(Event(data, event=event))]


ONE, TWO = f"{__name__}:one", f"{__name__}:two"


def test_shallow_come_before_deep_and_a_handler_may_come_twice():
    found = names(a_router(), {"object_attributes": {"action": "open", "iid": 7}})
    assert found == [ONE, TWO, ONE, TWO]


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
def test_a_body_of_any_shape_matches_the_shallow_handlers(data):
    assert names(a_router(), data) == [ONE]


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
    registry = Registry(ours)
    assert [int(registry.infos[place].name.split(":")[1]) for place in registry.find(event)] == called


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


def faults(*calls):
    router = Router()
    for call in calls:
        router.add(call, "Push Hook")
    return Registry(router).faults()


def a_handler(name=None):
    async def made(event, gl):
        """Do nothing."""

    return policy(name=name)(made) if name else made


def test_two_handlers_of_one_name_are_refused_unless_their_policies_name_them():
    (fault,) = faults(a_handler(), a_handler())
    assert "two handlers are named" in fault
    assert "@policy(name=" in fault
    assert not faults(a_handler("first"), a_handler("second"))
    handler = a_handler()
    assert not faults(handler, handler)


def test_bound_methods_of_two_objects_are_two_handlers():
    class Bot:
        async def push(self, event, gl):
            """Do nothing."""

    bot, other = Bot(), Bot()
    assert not faults(bot.push, bot.push)
    assert faults(bot.push, other.push)
    assert not faults(bot.push, policy(name="other")(other.push))


async def yields(event, gl):
    yield


def yields_too(event, gl):
    yield


async def takes_one(event):
    """Do nothing."""


async def wants_more(event, gl, pool):
    """Do nothing."""


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (yields, "contains yield"),
        (yields_too, "contains yield"),
        (takes_one, "cannot be called as handler(event, gl)"),
        (wants_more, "missing a required argument: 'pool'"),
    ],
)
def test_what_cannot_be_a_handler_is_refused_with_its_place(call, words):
    (fault,) = faults(call)
    assert words in fault
    assert f"{__file__}:" in fault


@pytest.mark.parametrize(
    "call",
    [
        functools.partial(wants_more, pool=None),
        lambda event, *_: None,
        lambda event, gl, *args, **kwargs: None,
        unittest.mock.AsyncMock(),
        unittest.mock.Mock(),
    ],
)
def test_what_takes_an_event_and_a_client_is_a_handler(call):
    assert not faults(call)


def test_the_policy_of_a_partial_is_its_functions():
    info = Registry(_router(functools.partial(policy(timeout=7, max_attempts=2)(wants_more), pool=1))).infos[
        0
    ]
    assert (info.timeout_s, info.max_attempts) == (7, 2)


def _router(call):
    router = Router()
    router.add(call, "Push Hook")
    return router


def test_only_what_is_no_coroutine_function_needs_a_thread():
    assert is_plain(lambda event, gl: None)
    assert is_plain(unittest.mock.Mock())
    assert not is_plain(unittest.mock.AsyncMock())
    assert not is_plain(functools.partial(wants_more, pool=1))
