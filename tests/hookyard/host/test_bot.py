"""A bot with resources: its lifespan, what its handlers name, and what can be named as a bot."""

from __future__ import annotations

import asyncio
import functools
import re
import sys
from contextlib import asynccontextmanager

import httpx
import pytest
from gidgetlab.routing import Router
from gidgetlab.sansio import Event
from gitlab_emulator.app import create_app

from hookyard import Bot, policy
from hookyard.host.host import Host, NotUsable
from hookyard.host.load import HandlersError, load_router
from hookyard.host.registry import Registry
from tests.ports import free_port

PUSH = Event({}, event="Push Hook")


def lifespan_of(log=None, **resources):
    """A lifespan that yields resources and notes its life."""

    @asynccontextmanager
    async def lifespan():
        if log is not None:
            log.append("entered")
        yield resources
        if log is not None:
            log.append("left")

    return lifespan


async def names_pool(event, gl, pool):
    return pool


async def names_by_keyword(event, gl, *, pool, cache=None):
    return pool, cache


async def takes_all(event, gl, pool, **kwargs):
    return pool, kwargs


async def names_none(event, gl, *args):
    return args


def plain(event, gl, pool):
    return pool


class Method:
    async def handle(self, event, gl, pool):
        return pool


async def test_handlers_are_given_what_they_name(make_settings):
    log = []
    bot = Bot(lifespan=lifespan_of(log, pool="P", size=3))
    calls = (
        names_pool,
        names_by_keyword,
        takes_all,
        names_none,
        Method().handle,
        policy(timeout=3)(functools.partial(names_by_keyword, cache="C")),
    )
    for call in calls[:5]:
        bot.add(call, "Push Hook")
    bot.add(policy(name="other")(calls[5]), "Push Hook")
    bot.add(plain, "Push Hook")
    host = Host(bot, make_settings())
    assert host.registry.faults() == ()
    await host.open()
    assert log == ["entered"]
    got = [await call(None, None) for call in host.registry.calls[:6]]
    assert got == ["P", ("P", None), ("P", {"size": 3}), (), "P", ("P", "C")]
    assert host.registry.calls[6](None, None) == "P"
    assert host.registry.infos[6].is_plain
    assert host.registry.find(PUSH) == tuple(range(7))
    await host.close()
    assert log == ["entered", "left"]


async def test_what_no_lifespan_yields_is_a_fault_that_names_it(make_settings):
    bot = Bot(lifespan=lifespan_of(cache=1))
    bot.add(names_pool, "Push Hook")
    host = Host(bot, make_settings())
    assert host.registry.faults() == ()  # not known yet
    with pytest.raises(NotUsable, match=r"names_pool.*'pool'.*yields cache") as caught:
        await host.open()
    assert not caught.value.may_pass
    await host.close()
    for router in (Bot(), Router()):
        router.add(names_pool, "Push Hook")
        (fault,) = Registry(router).faults()
        assert "'pool'" in fault


async def test_a_lifespan_that_fails_may_pass(make_settings):
    @asynccontextmanager
    async def lifespan():
        raise OSError("the database is away")
        yield {}

    host = Host(Bot(lifespan=lifespan), make_settings())
    with pytest.raises(NotUsable, match="the database is away") as caught:
        await host.open()
    assert caught.value.may_pass
    await host.close()


async def test_included_bots_bring_their_handlers_and_lifespans():
    log = []
    router = Router()
    router.add(names_none, "Issue Hook", action="open")
    inner = Bot(router, lifespan=lifespan_of(log, pool=1))
    inner.add(names_pool, "Push Hook")
    outer = Bot(inner, lifespan=lifespan_of(log, cache=2))
    assert [Registry(bot).infos[0].name.split(":")[1] for bot in (inner, outer)] == ["names_pool"] * 2
    assert len(Registry(outer).find(PUSH)) == 1
    async with outer.lifespan() as resources:
        assert resources == {"cache": 2, "pool": 1}
    assert log == ["entered", "entered", "left", "left"]
    outer.include(Bot(lifespan=lifespan_of(pool=3)))
    with pytest.raises(ValueError, match="two lifespans yield pool"):
        async with outer.lifespan():
            pass


async def test_it_works_wherever_a_router_does():
    called = []
    bot = Bot()

    @bot.register("Push Hook")
    async def push(event, gl):
        called.append((event, gl))

    await Router(bot).dispatch(PUSH, "gl")
    await bot.dispatch(PUSH, "gl")
    assert called == [(PUSH, "gl")] * 2


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Gives a function that writes a module into the current directory and returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    written = []

    def write(source):
        name = f"a_bot_{tmp_path.name.replace('-', '_')}_{len(written)}"
        (tmp_path / f"{name}.py").write_text("from gidgetlab.routing import Router\n" + source)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


HANDLER = "async def push(event, gl): pass\n"


def test_several_routers_are_one_bot(module):
    one = module(f"{HANDLER}router = Router()\nrouter.add(push, 'Push Hook')\n")
    two = module(f"{HANDLER}class app:\n    bot = Router()\napp.bot.add(push, 'Push Hook')\n")
    bot = load_router(f"{one}:router, {two}:app.bot")
    assert len(Registry(bot).find(PUSH)) == 2
    assert len(Registry(load_router(f"{two}:app.bot")).find(PUSH)) == 1
    with pytest.raises(HandlersError, match=r"has no gidgetlab Router named app\.nothing"):
        load_router(f"{one}:router,{two}:app.nothing")


async def test_a_gitlabbot_stands_for_its_router_and_its_application_is_started(module):
    name = module(
        "from gidgetlab.aiohttp import GitLabBot\nlog = []\nbot = GitLabBot('me')\n"
        "@bot.router.register('Push Hook')\nasync def push(event, gl, *args, **kwargs): pass\n"
        "async def start(app): log.append('started')\nasync def clean(app): log.append('cleaned')\n"
        "bot.app.on_startup.append(start)\nbot.app.on_cleanup.append(clean)\n"
    )
    bot = load_router(f"{name}:bot")
    assert len(Registry(bot).find(PUSH)) == 1
    async with bot.lifespan():
        assert sys.modules[name].log == ["started"]
    assert sys.modules[name].log == ["started", "cleaned"]


def test_a_router_with_a_dispatch_of_its_own_is_refused_and_taken_within_a_bot(module):
    name = module(
        "from hookyard import Bot\n"
        "class Hub(Router):\n    async def dispatch(self, event, *args, **kwargs): pass\n"
        "async def push(event, gl, account, **kwargs): pass\n"
        "router = Hub()\nrouter.add(push, 'Push Hook')\nbot = Bot(router)\n"
    )
    with pytest.raises(HandlersError, match=r"Hub has a dispatch of its own.*hookyard\.Bot"):
        load_router(f"{name}:router")
    assert len(Registry(load_router(f"{name}:bot")).find(PUSH)) == 1


def test_an_installed_bot_is_found_by_its_entry_point(tmp_path, monkeypatch, module):
    name = module("router = Router()\n")
    info = tmp_path / "installed_bot-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-bot\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[hookyard.bots]\nours = {name}:router\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(load_router("ours"), Router)
    with pytest.raises(HandlersError, match=r"no installed package has a bot of this name.*ours"):
        load_router("theirs")


async def test_a_lifespan_is_entered_and_left_in_one_task(make_settings):
    """As task groups and cancel scopes need it."""
    tasks = []

    @asynccontextmanager
    async def lifespan():
        async with asyncio.TaskGroup():
            tasks.append(asyncio.current_task())
            yield {}
            tasks.append(asyncio.current_task())

    bot = Bot(lifespan=lifespan)

    async def live():
        host = Host(bot, make_settings())
        await host.open()
        await host.close()

    await asyncio.create_task(live())
    assert tasks[0] is tasks[1]


async def test_events_of_the_bots_own_account_are_left_out_where_a_policy_says_so(free_server, make_settings):
    router = Router()

    @router.register("Issue Hook")
    @policy(own="skip")
    async def others(event, gl):
        """Do nothing."""

    @router.register("Issue Hook")
    async def all_of_them(event, gl):
        """Do nothing."""

    state = create_app()
    url = await free_server(state)
    async with httpx.AsyncClient(headers={"PRIVATE-TOKEN": "t"}) as client:
        own_id = (await client.get(f"{url}/api/v4/user")).json()["id"]
    host = Host(router, make_settings(GL_URL=url, GL_ACCESS_TOKEN="t"))
    await host.open()
    mine = Event({"user": {"id": own_id}}, event="Issue Hook")
    of_others = Event({"user": {"id": own_id + 1}}, event="Issue Hook")
    assert host.registry.find(mine) == (1,)
    assert host.registry.find(of_others) == (0, 1)
    await host.close()


async def test_whose_token_it_is_must_be_known_for_that(free_server, make_settings):
    router = Router()

    @router.register("Issue Hook")
    @policy(own="skip")
    async def others(event, gl):
        """Do nothing."""

    async def fault(url, **given):
        host = Host(router, make_settings(GL_URL=url, **given))
        with pytest.raises(NotUsable) as raised:
            await host.open()
        await host.close()
        return str(raised.value), raised.value.may_pass

    strict = await free_server(create_app(token="right"))
    text, may_pass = await fault(strict)
    assert ("set GL_ACCESS_TOKEN" in text, may_pass) == (True, False)
    text, may_pass = await fault(f"http://127.0.0.1:{free_port()}", GL_ACCESS_TOKEN="t")
    assert ("did not say" in text, may_pass) == (True, True)
    easy = Host(router, make_settings(GL_URL=await free_server(create_app())))  # as under hookyard up
    await easy.open()
    await easy.close()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"rate": "many"}, "such as '30/minute'"),
        ({"rate": "0/minute"}, "such as '30/minute'"),
        ({"chain": "1/fortnight"}, "such as '30/minute'"),
        ({"latest": True}, "of which key"),
        ({"debounce": 5}, "of which key"),
        ({"ordered": "strict"}, "of which key"),
        ({"key": "x", "ordered": "loose"}, "only 'strict'"),
        ({"own": "keep"}, "only 'skip'"),
        ({"concurrency": 0}, "at least 1"),
        ({"delay": -1}, "up to a week"),
        ({"wait_at_most": 0}, "more than 0"),
    ],
)
def test_a_word_of_a_policy_without_meaning_is_refused(given, text):
    with pytest.raises(ValueError, match=text):
        policy(**given)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("{projekt}", "names projekt; there are project"),
        ("{project", "cannot be read"),
        ("all", "concurrency="),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_said_at_start(key, text):
    router = Router()

    @router.register("Push Hook")
    @policy(key=key)
    async def push(event, gl):
        """Do nothing."""

    (fault,) = Registry(router).faults()
    assert text in fault


@pytest.mark.parametrize(
    ("cron", "timezone", "text"),
    [
        ("0 25 * * *", "UTC", "cannot be read"),
        ("0 6 * * 1-5", "Europe/Atlantis", "is not known"),
        ("0 0 30 2 *", "UTC", "never comes|cannot be read"),
    ],
)
def test_a_schedule_without_times_is_said_at_start(cron, timezone, text):
    bot = Bot()

    @bot.schedule(cron, timezone=timezone)
    async def tick(event, gl):
        """Do nothing."""

    (fault,) = Registry(bot).faults()
    assert re.search(text, fault)
