"""Logs: one event per line, ours and the libraries' alike, and never a secret."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys

import pytest
import structlog

from hookyard.ledger.records import State
from hookyard.telemetry import logs
from tests.fakes import a_delivery, until
from tests.processes import ROOT


@pytest.fixture
def logged(capsys):
    """Gives a function that returns what was logged since, line by line."""

    def lines():
        return capsys.readouterr().err.splitlines()

    return lines


def fresh(name):
    """A logger that was bound to no earlier configuration."""
    return structlog.get_logger(name)


def test_json_has_one_line_per_event_with_process_level_time_and_id(logged):
    logs.configure("ingress", log_format="json")
    fresh("ours").info("delivery accepted", delivery_id="d-1", note="two\nlines \ud83d é")
    (line,) = logged()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "delivery accepted",
        "delivery_id": "d-1",
        "note": "two\nlines \ud83d é",
        "level": "info",
        "logger": "ours",
        "process": "ingress",
    }


def test_libraries_log_in_the_same_way(logged):
    logs.configure("worker", log_format="json")
    logging.getLogger("arq.worker").warning("%s is %d", "this", 7)
    entry = json.loads(logged()[0])
    assert (entry["event"], entry["logger"], entry["level"], entry["process"]) == (
        "this is 7",
        "arq.worker",
        "warning",
        "worker",
    )


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_level_bounds_what_is_logged(logged, level):
    logs.configure("worker", level=level, log_format="json")
    ours, theirs = fresh("ours"), logging.getLogger("theirs")
    names = ["debug", "info", "warning", "error"]
    for name in names:
        getattr(ours, name)(name)
        getattr(theirs, name)(name)
    expected = [name for name in names[names.index(level) :] for _ in range(2)]
    assert [json.loads(line)["event"] for line in logged()] == expected


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("name", ["httpx", "httpcore", "uvicorn.access"])
def test_what_libraries_say_of_each_request_is_left_out_since_it_holds_query_strings(logged, name, level):
    logs.configure("worker", level=level, log_format="json")
    logging.getLogger(name).info("GET /?private_token=hunter2")
    logging.getLogger(name).warning("a warning is told")
    assert [json.loads(line)["event"] for line in logged()] == ["a warning is told"]


def test_a_logger_made_before_logging_is_configured_follows_it(logged):
    early = logs.get_logger("ours", delivery_id="d-1")
    logs.configure("ingress", level="warning", log_format="json")
    early.info("too little")
    early.warning("enough")
    (line,) = logged()
    assert json.loads(line).items() >= {"event": "enough", "logger": "ours", "delivery_id": "d-1"}.items()
    logs.configure("ingress", level="info", log_format="json")
    early.info("enough by now")
    assert len(logged()) == 1


def test_lines_of_a_process_that_does_not_configure_logging_go_to_the_standard_library(caplog):
    log = logs.get_logger("ours", delivery_id="d-1")
    caplog.set_level("WARNING", "ours")
    log.info("too little")
    log.warning("enough", why="so")
    assert [(one.name, one.levelname, one.message) for one in caplog.records] == [
        ("ours", "WARNING", "enough delivery_id=d-1 why=so")
    ]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_values(logged, log_format):
    """A body or a secret is somebody's local variable."""
    logs.configure("worker", log_format=log_format)

    def fail():
        secret = "HUNTER2".lower()  # the line itself is shown
        raise ValueError("no luck" + secret[:0])

    try:
        fail()
    except ValueError:
        fresh("ours").exception("it failed")
        logging.getLogger("theirs").exception("it failed")
    told = "\n".join(logged())
    assert told.count("ValueError: no luck") == 2
    assert "in fail" in told
    assert "hunter2" not in told


def test_a_value_cannot_pass_itself_off_as_another_line(logged):
    logs.configure("ingress", log_format="console")
    fresh("ours").warning("rejected", reason="x\n2026 [error] all is lost", path="\x1b[2Jgone é")
    (line,) = logged()
    assert "\\x1b[2Jgone é" in line
    try:
        raise ValueError("\x1b[2Jgone")
    except ValueError:
        fresh("ours").exception("it failed")
    assert "ValueError: \\x1b[2Jgone" in "\n".join(logged())


def test_configuring_twice_logs_once(logged):
    logs.configure("ingress", log_format="json")
    logs.configure("ingress", log_format="json")
    fresh("ours").info("once")
    logging.getLogger("uvicorn.error").info("once")
    assert len(logged()) == 2


def test_without_a_terminal_it_is_json():
    program = (
        "from hookyard.telemetry import logs; import structlog; logs.configure('x'); "
        "structlog.get_logger('y').info('z')"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert told.stdout == b""
    assert json.loads(told.stderr)["event"] == "z"


def test_a_line_says_what_it_is_about_whoever_writes_it(logged):
    about = {}
    logs.configure("worker", log_format="json", context=lambda: about)
    fresh("ours").info("before")
    about |= {"delivery_id": "d-1", "handler": "bot:f"}
    fresh("ours").info("of its own", delivery_id="d-2")
    logging.getLogger("theirs").warning("within")
    told = [json.loads(line) for line in logged()]
    assert [(line.get("delivery_id"), line.get("handler")) for line in told] == [
        (None, None),
        ("d-2", "bot:f"),
        ("d-1", "bot:f"),
    ]


UNGENTLE = {
    "dictConfig": """
logging.config.dictConfig(
    {
        "version": 1,
        "formatters": {"f": {"format": "BOT %(message)s"}},
        "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
        "root": {"handlers": ["h"], "level": "INFO"},
    }
)
""",
    "basicConfig": """
logging.basicConfig(force=True, level=logging.INFO, format="BOT %(message)s")
logging.disable(logging.DEBUG)
logging.setLoggerClass(type("Mute", (logging.Logger,), {"handle": lambda *_: None}))
""",
    "structlog": """
def drop(logger, method, event):
    raise structlog.DropEvent
structlog.configure(processors=[drop], cache_logger_on_first_use=True)
logging.basicConfig(force=True, level=logging.INFO, format="BOT %(message)s")
""",
}


@pytest.mark.parametrize("when", ["on import", "in a handler"])
@pytest.mark.parametrize("how", UNGENTLE)
async def test_a_workers_lines_survive_a_bot_that_configures_logging(
    processes, ledger, listing, tmp_path, how, when
):
    configuring = UNGENTLE[how].strip().replace("\n", "\n    ")
    (tmp_path / "bot.py").write_text(f"""
import logging.config
import structlog
from gidgetlab.routing import Router
from hookyard import GiveUp, current_delivery

router = Router()
theirs = logging.getLogger("bot")

def configure_logging():
    {configuring}
{"configure_logging()" if when == "on import" else ""}

@router.register("Push Hook")
async def configures(event, gl):
    configure_logging()
    logging.getLogger().info("hello")

@router.register("Push Hook")
async def fails(event, gl):
    raise GiveUp("never")
""")
    worker = processes.worker(HOOKYARD_HANDLERS="bot:router", HOOKYARD_LOG_FORMAT="json")
    await ledger.accept(a_delivery("d-1"))

    async def is_failed():
        return (await listing.get("d-1")).state is State.FAILED

    await until(is_failed)
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 20) == 0
    lines = processes.log("worker").splitlines()
    assert "BOT hello" in lines
    told = [json.loads(line) for line in lines if line.startswith("{")]
    by_event = {line["event"]: line for line in told}
    assert {"worker ready", "handler succeeded", "handler failed", "worker stopped"} <= by_event.keys()
    assert (
        by_event["handler failed"].items()
        >= {
            "delivery_id": "d-1",
            "handler": "bot:fails",
            "attempt": 1,
            "logger": "worker",
            "process": "worker",
            "level": "warning",
        }.items()
    )
    assert len([line for line in told if line["event"] == "handler failed"]) == 1
