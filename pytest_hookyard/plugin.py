"""The fixtures, as docs/guides/test-a-bot.md lists them, and the one ini option.

Rule: at import only pytest. What a fixture needs is imported when a test asks for it.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gidgetlab.routing import Router

    from pytest_hookyard.delivering import Deliver
    from pytest_hookyard.emulated import GitLabEmulator
    from pytest_hookyard.running import RunningHookyard
    from pytest_hookyard.stage import Stage

_INI = "hookyard_handlers"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take ``hookyard_handlers`` from the ini file."""
    parser.addini(_INI, help="The bot's router, as module:name, for the fixture hookyard_router.", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Look for modules in the bot's folder first, as a worker does, whatever the import mode is."""
    if early_config.getini(_INI):
        folder = early_config.inipath.parent if early_config.inipath else early_config.rootpath
        sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]


@pytest.fixture(scope="session")
def hookyard_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis of this run's own (of each xdist worker's own). Override it to name another."""
    from hookyard.redis.embedded import NoRedisServer
    from pytest_hookyard.own_redis import own_redis

    with ExitStack() as undo:
        try:
            url = undo.enter_context(own_redis(tmp_path_factory.mktemp("hookyard-redis")))
        except NoRedisServer as exc:
            pytest.fail(str(exc), pytrace=False)
        yield url


@pytest.fixture(scope="session")
def _hookyard_stage() -> Iterator[Stage]:
    from pytest_hookyard.stage import Stage

    stage = Stage()
    stage.open()
    yield stage
    stage.close()


@pytest.fixture
def gitlab_emulator(_hookyard_stage: Stage) -> Iterator[GitLabEmulator]:
    """A stand-in for GitLab, new in every test: ``url``, ``state``, ``calls``, ``fail(…)``, ``reset()``."""
    from pytest_hookyard.emulated import GitLabEmulator

    gitlab = GitLabEmulator(_hookyard_stage)
    yield gitlab
    gitlab.close()


@pytest.fixture
def hookyard_router(pytestconfig: pytest.Config) -> Router:
    """The router whose handlers are tested: the one that ``hookyard_handlers`` names. Override it freely."""
    from hookyard.host.load import HandlersError, load_router

    import_string = pytestconfig.getini(_INI)
    if not import_string:
        pytest.fail(
            f'Which handlers? Set {_INI} = "mybot:router" in pytest\'s section of pyproject.toml, '
            "or override the fixture hookyard_router so that it returns your router.",
            pytrace=False,
        )
    try:
        return load_router(import_string)
    except HandlersError as exc:
        pytest.fail(str(exc).replace("HOOKYARD_HANDLERS=", f"{_INI} = ", 1), pytrace=False)


@pytest.fixture
def hookyard_settings() -> Mapping[str, object]:
    """Settings that differ from the tests', e.g. ``{"HOOKYARD_MAX_ATTEMPTS": 2}``. Override to change any."""
    return {}


@pytest.fixture
def hookyard(
    _hookyard_stage: Stage,
    gitlab_emulator: GitLabEmulator,
    hookyard_redis: str,
    hookyard_router: Router,
    hookyard_settings: Mapping[str, object],
) -> Iterator[RunningHookyard]:
    """A running ingress and worker with the bot's router: ``url``, ``secrets``, ``deliveries()``."""
    from hookyard.settings.settings import SettingsError
    from pytest_hookyard.child_process import UnusableError
    from pytest_hookyard.running import RunningHookyard
    from pytest_hookyard.terms import settings_for_tests

    try:
        settings = settings_for_tests(hookyard_redis, gitlab_emulator.url, hookyard_settings)
    except SettingsError as exc:
        pytest.fail(str(exc), pytrace=False)
    with ExitStack() as undo:
        starting = RunningHookyard(_hookyard_stage, gitlab_emulator, settings, hookyard_router)
        try:
            running = undo.enter_context(starting)
        except UnusableError as exc:
            pytest.fail(str(exc), pytrace=False)
        yield running


@pytest.fixture
def deliver(hookyard: RunningHookyard, request: pytest.FixtureRequest) -> Deliver:
    """Send a webhook as GitLab does and return once its handlers are done: ``deliver("issue-open")``."""
    from pytest_hookyard.delivering import Deliver

    return Deliver(hookyard, tell=lambda story: request.node.add_report_section("call", "hookyard", story))
