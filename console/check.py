"""``hookyard check``: looks at everything that must be right, and says of each thing how it is.

It asks Redis itself; handlers and GitLab are the worker's, so a process of the worker's is asked.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from redis.exceptions import RedisError
from rich.table import Table
from rich.text import Text

from console import findings
from console.client import Place, find_place, redis_trouble
from console.findings import Finding, Level
from console.screen import FAILED, WRONG_USE, show, show_json
from console.up_environment import child_environment, python_module
from console.words import one_line
from deliveries.connection import close, is_redis_away, open_redis
from deliveries.ledger import Ledger
from deliveries.queue import Names
from deliveries.settings import SettingsError, ingress_faults, unknown_variables

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
        place = find_place()
    except SettingsError as exc:
        found = [Finding(level=Level.FAULT, about="settings", text=fault) for fault in exc.faults]
        _print(found, as_json=as_json)
        raise typer.Exit(WRONG_USE) from None
    found = findings.of_settings(
        place.settings,
        given=len(place.given),
        unknown=unknown_variables(),
        ingress_faults=ingress_faults(place.settings),
    )
    found += asyncio.run(_look_at_redis(place))
    found += _ask_worker(place)
    _print(found, as_json=as_json)
    if any(one.level is Level.FAULT for one in found):
        raise typer.Exit(FAILED)


async def _look_at_redis(place: Place) -> list[Finding]:
    settings = place.settings
    redis = open_redis(settings.redis_url, timeout_s=5)
    try:
        info = await _info(redis)
        found = findings.of_redis(settings.masked_redis_url, info, await _config(redis))
        if any(one.level is Level.FAULT for one in found):
            return found
        await Ledger(redis, Names(prefix=settings.prefix)).probe()
    except (RedisError, OSError) as exc:
        text, _, todo = redis_trouble(place, exc).partition("\n")
        return [Finding(level=Level.FAULT, about="redis", text=text, todo=todo)]
    finally:
        await close(redis)
    return found


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


def _ask_worker(place: Place) -> list[Finding]:
    command = python_module("worker.checkup")
    environment = child_environment({}, place.inherited)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_CHECKUP_S, check=False
        )
    except subprocess.TimeoutExpired:
        text = f"handlers and GitLab could not be looked at within {_CHECKUP_S:g} s"
        return [Finding(level=Level.FAULT, about="handlers", text=text)]
    try:
        report = json.loads(done.stdout)
    except ValueError:
        text = "handlers and GitLab could not be looked at: " + (done.stderr.strip() or "no answer")
        return [Finding(level=Level.FAULT, about="handlers", text=text)]
    return [
        *findings.of_handlers(report["handlers"]),
        *findings.of_gitlab(
            report["gitlab"],
            today=datetime.now(UTC).date(),
            is_emulator=place.here is not None
            and "emulator" in place.here.addresses
            and "GL_URL" not in place.given,
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
