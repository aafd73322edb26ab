from __future__ import annotations

import asyncio
import json

import pytest
from gidgetlab.routing import Router

from hookyard.cli.check.handlers_probe import _RegistrationReader, handlers_report


def test_the_report_on_handlers_names_each_with_its_events():
    report = handlers_report("handlers:router")
    assert report["error"] is None
    assert report["handlers"]["handlers.greet_reporter:greet_reporter"] == ["Issue Hook (action=open)"]
    assert report["handlers"]["handlers.build_docs:build_docs"] == ["Push Hook"]


def test_handlers_that_do_not_load_are_reported_with_the_reason():
    report = handlers_report("nowhere:router")
    assert "there is no module nowhere" in report["error"]
    assert report["handlers"] == {}


def test_one_handler_for_two_events_has_both():
    router = Router()

    async def both(event, gl): ...

    router.add(both, "Push Hook")
    router.add(both, "Issue Hook", action="open")
    assert list(_RegistrationReader(router).found.values()) == [["Push Hook", "Issue Hook (action=open)"]]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("x = (", "SyntaxError: "),
        ("raise ValueError('no moon')", "ValueError: no moon"),
        ("1 / 0", "ZeroDivisionError: "),
    ],
)
def test_an_error_in_a_bot_is_located_in_the_bot(command, tmp_path, line, error):
    (tmp_path / "mybot.py").write_text("import jobs\n")
    (tmp_path / "jobs.py").write_text(f"\n{line}\n")
    run = command("check", "--json", HOOKYARD_HANDLERS="mybot:router", REDIS_URL="redis://127.0.0.1:1/0")
    (found,) = [one for one in run.json["findings"] if one["about"] == "handlers"]
    assert f"importing it failed with {error}" in found["text"]
    assert found["text"].endswith(f"({tmp_path / 'jobs.py'}, line 2)")


async def test_the_process_prints_one_json_object_whatever_a_bot_prints(processes, tmp_path):
    (tmp_path / "bot.py").write_text(
        "print('noise')\nfrom gidgetlab.routing import Router\nrouter = Router()\n"
    )
    process = processes.start(
        "-m", "hookyard.cli.check.handlers_probe", name="out", HOOKYARD_HANDLERS="bot:router"
    )
    assert await asyncio.to_thread(process.wait, 30) == 0
    last = processes.log("out").splitlines()[-1]
    assert json.loads(last) == {
        "import_string": "bot:router",
        "error": None,
        "handlers": {},
        "warnings": {},
    }
