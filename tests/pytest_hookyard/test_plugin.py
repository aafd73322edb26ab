"""The plugin in a project of its own: the documents' tests, failures as shown, no traces elsewhere."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_hookyard.delivering
import pytest_hookyard.emulated  # with all of the emulator, of which a run must not import a second copy
import pytest_hookyard.own_redis
import pytest_hookyard.running  # noqa: F401 - imported for good: a run inside this process would forget them
from hookyard.cli.up.reaper import _is_gone
from tests.fakes import until

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guides" / "test-a-bot.md").read_text(encoding="utf-8")
BOT = """
from gidgetlab.routing import Router
router = Router()

@router.register("Push Hook")
async def push(event, gl):
    raise RuntimeError("the tank is dry")
"""
SAYS_WHICH_REDIS = """
import os, pathlib, redis, signal

def test_uses_redis(hookyard_redis):
    with redis.Redis.from_url(hookyard_redis) as client:
        pathlib.Path("redis.pid").write_text(str(client.info("server")["process_id"]))
    os.kill(os.getpid(), signal.{signal})
"""

SAYS_WHICH_CHILDREN = """
import os, pathlib, signal, sys
from gidgetlab.routing import Router
import pytest

@pytest.fixture
def hookyard_router():
    return Router()

def test_uses_children(hookyard):
    stage = hookyard._stage
    pathlib.Path("children").write_text(f"{stage.ingress.pid} {stage.worker.pid}")
    of_ours = {name for name in sys.modules if name.partition(".")[0] in {"ingress", "worker"}}
    pathlib.Path("of_ours").write_text(" ".join(of_ours))
    os.kill(os.getpid(), signal.{signal})
"""


@pytest.fixture
def run(pytester):
    """Run pytest in the project that the test wrote; gives what came of it."""
    return lambda *arguments: pytester.runpytest_inprocess(*_ONLY_OURS, *arguments)


_ONLY_OURS = ("-p", "no:asyncio", "-p", "no:anyio", "--strict-markers", "--strict-config", "-W", "error")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("document", [README, GUIDE], ids=["README.md", "test-a-bot.md"])
def test_a_document_s_test_of_a_handler_passes(pytester, run, document):
    bot = next(block for block in blocks(README, "python") if "Router()" in block)
    test = next(block for block in blocks(document, "python") if "def test_" in block)
    assert len(test.splitlines()) <= 10
    pytester.makepyfile(mybot=bot)
    pytester.makepyprojecttoml(blocks(document, "toml")[0])
    pytester.makepyfile(test_mybot=test)
    result = run()
    result.assert_outcomes(passed=test.count("def test_"))


def test_the_guide_lists_every_fixture(pytester, run):
    table = GUIDE.split("\n## Fixtures\n")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+)", table, re.MULTILINE))
    shown = run("--fixtures").stdout.str()
    ours = set(re.findall(r"^(\w+)(?: \[.*?\])? -- .*pytest_hookyard", shown, re.MULTILINE))
    assert ours == listed
    assert {"deliver", "gitlab_emulator", "hookyard"} <= ours


def test_a_test_that_fails_shows_its_deliveries(pytester, run):
    pytester.makepyfile(mybot=BOT)
    pytester.makeini("[pytest]\nhookyard_handlers = mybot:router")
    pytester.makepyfile("def test_push(deliver):\n    assert deliver('push').state == 'succeeded'")
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Captured hookyard call*",
            "Push Hook (greenhouse/watering-can*): failed, 8 runs, delivery *",
            "  try 1   mybot:push failed after * ms: RuntimeError: the tank is dry; again after *",
            '    raise RuntimeError("the tank is dry")',
            "Calls to GitLab",
            "  none",
        ]
    )


def test_a_delivery_that_is_not_done_fails_at_the_test_s_own_line(pytester, run):
    pytester.makepyfile(
        mybot=BOT.replace("raise RuntimeError", "from hookyard import RetryAfter as R; raise R(600) #")
    )
    pytester.makeini("[pytest]\nhookyard_handlers = mybot:router")
    pytester.makepyfile("def test_push(deliver):\n    deliver('push')")
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">       deliver('push')", "E *NotDoneError: not done after *", "*.py:2: NotDoneError"]
    )
    result.stdout.no_fnmatch_line("*concurrent*")
    result.stdout.no_fnmatch_line("*in finished*")


def test_a_router_comes_from_an_overridden_fixture(pytester, run):
    pytester.makepyfile(
        """
        import pytest
        from gidgetlab.routing import Router

        @pytest.fixture
        def hookyard_router():
            router = Router()
            @router.register("Push Hook")
            async def push(event, gl): ...
            return router

        def test_push(deliver):
            assert deliver("push").attempt_of("push").outcome == "succeeded"
        """
    )
    run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("ini", "told"),
    [
        ("", "*Which handlers? Set hookyard_handlers = *"),
        ("hookyard_handlers = nobot:router", "*hookyard_handlers = nobot:router: there is no module nobot*"),
        ("hookyard_handlers = mybot:rooter", "*has no gidgetlab Router named rooter; it has router"),
    ],
)
def test_a_router_that_cannot_be_found_is_told_without_a_traceback(pytester, run, ini, told):
    pytester.makepyfile(mybot=BOT)
    pytester.makeini(f"[pytest]\n{ini}")
    pytester.makepyfile("def test_push(deliver): ...")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([told])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_settings_that_cannot_be_used_are_told_without_a_traceback(pytester, run):
    pytester.makepyfile(mybot=BOT)
    pytester.makeini("[pytest]\nhookyard_handlers = mybot:router")
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def hookyard_settings():
            return {"HOOKYARD_MAX_ATTEMPT": 2}

        def test_push(deliver): ...
        """
    )
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*HOOKYARD_MAX_ATTEMPT is not a setting; did you mean HOOKYARD_MAX_ATTEMPTS?"]
    )


def test_a_run_that_uses_none_of_it_imports_none_of_it(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_there():
            ours = {"deliveries", "ingress", "worker", "console", "emulator", "handlers", "hookyard"}
            theirs = {"gidgetlab", "redis", "arq", "uvicorn", "starlette", "structlog", "pydantic", "rich"}
            assert not (ours | theirs) & set(sys.modules)
        """
    )
    result = pytester.runpytest_subprocess(*_ONLY_OURS)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
async def test_redis_ends_with_the_run_however_that_ends(pytester, how):
    pytester.makepyfile(SAYS_WHICH_REDIS.replace("{signal}", how))
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pytest", *_ONLY_OURS],
        cwd=pytester.path,
        env={**os.environ, "PYTEST_DEBUG_TEMPROOT": str(pytester.path)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert ended.returncode == (2 if how == "SIGINT" else -signal.Signals[how])
    pid = int((pytester.path / "redis.pid").read_text())
    await until(lambda: _is_gone(pid))


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
async def test_children_end_with_the_run_however_that_ends_and_alone_import_what_a_bot_may_call_its_own(
    pytester, how
):
    pytester.makepyfile(SAYS_WHICH_CHILDREN.replace("{signal}", how))
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pytest", *_ONLY_OURS],
        cwd=pytester.path,
        env={**os.environ, "PYTEST_DEBUG_TEMPROOT": str(pytester.path)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    pids = [int(pid) for pid in (pytester.path / "children").read_text().split()]
    assert len(pids) == 2
    for pid in pids:
        await until(lambda pid=pid: _is_gone(pid))
    assert not (pytester.path / "of_ours").read_text()
