"""``hookyard check``: looks at everything that must be right, and says of each thing how it is.

It asks Redis itself; handlers and GitLab are the worker's, the spool is the ingress's, so processes of theirs
are asked.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from redis.exceptions import RedisError
from rich.table import Table
from rich.text import Text

from hookyard.cli.check import live_rules, rules
from hookyard.cli.check.rules import Finding, Level
from hookyard.cli.context import CliContext, resolve_context
from hookyard.cli.launch import child_environment, module_command
from hookyard.cli.ledger_session import connection_error
from hookyard.cli.output.terminal import EXIT_FAILED, EXIT_USAGE, show, show_json
from hookyard.cli.output.text import one_line
from hookyard.ledger.heartbeats import alive
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.ledger import Ledger
from hookyard.ledger.reader import Listing
from hookyard.redis.client import close, open_redis
from hookyard.redis.errors import is_redis_away
from hookyard.settings.settings import SettingsError, ingress_faults, unknown_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arq.connections import ArqRedis

_CHECKUP_S: Final = 90.0
_STYLES: Final = {Level.OK: "green", Level.RISK: "yellow", Level.FAULT: "bold red"}


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Look for faults in settings, Redis, handlers and GitLab.

    Says of each thing whether it is ok, a risk or a fault, and what to do.

    Exit code 1 with a fault, 2 when settings cannot be read, else 0.
    """
    try:
        context = resolve_context()
    except SettingsError as exc:
        found = [Finding(level=Level.FAULT, about="settings", text=fault) for fault in exc.faults]
        _print(found, as_json=as_json)
        raise typer.Exit(EXIT_USAGE) from None
    found = rules.of_settings(
        context.settings,
        given=len(context.given),
        unknown=unknown_variables(),
        ingress_faults=ingress_faults(context.settings),
    )
    found += asyncio.run(_look_at_redis(context))
    found += _ask_ingress(context)
    found += _ask_worker(context)
    _print(found, as_json=as_json)
    if any(one.level is Level.FAULT for one in found):
        raise typer.Exit(EXIT_FAILED)


async def _look_at_redis(context: CliContext) -> list[Finding]:
    settings = context.settings
    redis = open_redis(settings.redis_url, timeout_s=5)
    try:
        info = await _info(redis)
        found = rules.of_redis(settings.masked_redis_url, info, await _config(redis))
        if any(one.level is Level.FAULT for one in found):
            return found
        keys = LedgerKeys(prefix=settings.prefix)
        await Ledger(redis, keys).probe()
        found.append(live_rules.of_redis_clock(await _ahead_s(redis)))
        stats = await Listing(redis, keys).stats()
        found += live_rules.of_workers(await alive(redis, keys), stats)
    except (RedisError, OSError) as exc:
        text, _, todo = connection_error(context, exc).partition("\n")
        return [Finding(level=Level.FAULT, about="redis", text=text, todo=todo)]
    finally:
        await close(redis)
    return found


async def _ahead_s(redis: ArqRedis) -> float:
    """Return how far Redis's clock is ahead of ours; half of the way there and back counts as ours."""
    asked = time.time()
    seconds, micros = await redis.time()
    return float(seconds + micros / 1e6 - (asked + time.time()) / 2)


async def _info(redis: ArqRedis) -> dict[str, Any]:
    """Return the sections of INFO that matter, as one mapping."""
    info: dict[str, Any] = {}
    for section in ("server", "persistence", "memory", "replication"):
        info |= await redis.info(section)
    return info


async def _config(redis: ArqRedis) -> Mapping[str, str] | None:
    """Return what CONFIG GET tells, ``None`` where it is refused (managed Redis, or by ACL)."""
    config: dict[str, str] = {}
    try:
        for name in ("appendfsync", "maxmemory-policy"):
            answer = await redis.config_get(name)
            config |= {_text(key): _text(value) for key, value in answer.items()}
    except RedisError as exc:
        if is_redis_away(exc):
            raise
        return None
    return config


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _ask_ingress(context: CliContext) -> list[Finding]:
    report = _report(context, "ingress.diagnostics")
    if isinstance(report, str):
        return [Finding(level=Level.FAULT, about="spool", text=f"it could not be looked at{report}")]
    return live_rules.of_spool(report)


def _report(context: CliContext, module: str) -> dict[str, Any] | str:
    """Return what a process of another package found out, or why there is nothing."""
    try:
        done = subprocess.run(
            module_command(module),
            env=child_environment({}, context.inherited),
            capture_output=True,
            text=True,
            timeout=_CHECKUP_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f" within {_CHECKUP_S:g} s"
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return f": {done.stderr.strip() or 'no answer'}"
    return report


def _ask_worker(context: CliContext) -> list[Finding]:
    report = _report(context, "worker.diagnostics")
    if isinstance(report, str):
        text = f"handlers and GitLab could not be looked at{report}"
        return [Finding(level=Level.FAULT, about="handlers", text=text)]
    settings = context.settings
    return [
        *rules.of_handlers(report["handlers"]),
        *rules.of_gitlab(
            report["gitlab"],
            today=datetime.now(UTC).date(),
            is_emulator=context.stack is not None
            and "emulator" in context.stack.addresses
            and "GL_URL" not in context.given,
        ),
        *live_rules.of_gitlab_clock(
            report["gitlab"],
            tolerance_s=settings.signature_tolerance_s,
            signed=bool(settings.signing_tokens),
        ),
    ]


def _print(found: list[Finding], *, as_json: bool) -> None:
    if as_json:
        show_json({"findings": [{**asdict(one), "level": one.level.value} for one in found]})
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found:
        text = Text(one_line(one.text))
        if one.todo:
            text.append(f"\n→ {one_line(one.todo)}")
        table.add_row(Text(one.level.value, style=_STYLES[one.level]), one.about, text)
    show(table)
