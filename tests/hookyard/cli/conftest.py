"""The command line: run in this process where it only reads and prints, as a process where it does not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from hookyard.cli.main import app
from hookyard.ledger.claims import Settlement
from hookyard.ledger.records import Attempt, Ending, Outcome, Run, State
from tests.fakes import a_delivery
from tests.processes import ROOT


class Ran:
    """What a command printed, and its exit code."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        """Its answer, where it printed one JSON document."""
        return json.loads(self.out)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """An empty directory as the current one, and no Redis where the default would be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "")
    return tmp_path


@pytest.fixture
def hookyard(nowhere, monkeypatch, redis_url):
    """Gives a coroutine function that runs a command against the tests' Redis."""
    monkeypatch.setenv("REDIS_URL", redis_url)

    async def run(*arguments, typed=None):
        # commands have an event loop of their own, so they need a thread of their own
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), input=typed)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def command(nowhere):
    """Gives a function that runs ``hookyard`` as a process, with no settings but what it is told."""

    def run(*arguments, timeout_s=60, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "hookyard.cli.main", *arguments],
            cwd=nowhere,
            env=process_environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def process_environment(**environment):
    """An environment for ``hookyard`` as a process that holds no settings but these."""
    inherited = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    return {**inherited, "PYTHONPATH": str(ROOT), **environment}


@pytest.fixture
def keep(ledger):
    """Gives a coroutine function that puts a delivery into the ledger, in the state that is asked for."""

    async def kept(delivery_id, state=State.QUEUED, *, attempts=None, ending=Ending.SETTLED, **facts):
        await ledger.accept(a_delivery(delivery_id, **facts))
        if state is State.QUEUED:
            return
        (record,) = (await ledger.claim(worker="w-1", limit=1, only=delivery_id)).records
        if state is State.RUNNING:
            return
        failed = state in {State.FAILED, State.RETRYING}
        now_ms = time.time_ns() // 1_000_000
        attempts = (
            (an_attempt(failed=failed, final=state is not State.RETRYING),) if attempts is None else attempts
        )
        await ledger.settle(
            Settlement(
                delivery_id=delivery_id,
                token=record.token,
                state=state,
                delay_ms=34_000 if state is State.RETRYING else 0,
                error="bot:second: ValueError: no moon" if failed else None,
                run=Run(
                    number=record.claims,
                    worker="w-1",
                    started_ms=now_ms - 1200,
                    ended_ms=now_ms,
                    ending=ending,
                    attempts=() if state is State.IGNORED else attempts,
                ),
            )
        )

    return kept


def an_attempt(handler="bot:second", *, failed=True, final=True, number=1, traceback="Traceback: no moon"):
    """What one run of a handler came to."""
    now_ms = time.time_ns() // 1_000_000
    return Attempt(
        handler=handler,
        outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
        number=number,
        started_ms=now_ms - 1200,
        took_ms=12,
        final=final,
        due_ms=None if final else now_ms + 34_000,
        error="ValueError: no moon" if failed else None,
        traceback=traceback if failed else None,
    )
