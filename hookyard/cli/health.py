"""``hookyard health``: asks a process on this machine, or in this container, whether it is well.

What a container engine or supervisor runs every half minute: one line, exit code 0 or 1. Not well means
that to start the process again would help, so while Redis is away a worker, which waits for it, is well.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from arq.constants import health_check_key_suffix
from redis.exceptions import RedisError

from hookyard.cli.context import context_or_exit
from hookyard.cli.output.terminal import EXIT_FAILED, EXIT_USAGE, show, stop
from hookyard.cli.up.plan import LOOPBACK, reached_at
from hookyard.ledger.keys import LedgerKeys
from hookyard.redis.client import close, open_redis

if TYPE_CHECKING:
    from hookyard.settings.settings import Settings

_TIMEOUT_S: Final = 4.0
_EMULATOR_PORT: Final = 8002
_FIRST_PROCESS: Final = Path("/proc/1/cmdline")


class Process(StrEnum):
    """The processes that can be asked."""

    INGRESS = "ingress"
    WORKER = "worker"
    EMULATOR = "emulator"


def health(
    process: Annotated[
        Process | None,
        typer.Argument(help="Which one. (default: the one that this container runs)", show_default=False),
    ] = None,
) -> None:
    """Ask a process on this machine whether it is well.

    One line, and exit code 0 or 1: for container engines.
    """
    asked = process or _of_this_container()
    if asked is None:
        stop("Which process? hookyard health ingress, worker or emulator", EXIT_USAGE)
    settings = context_or_exit().settings
    fault = _fault(asked, settings)
    if fault:
        stop(f"{asked}: {fault}", EXIT_FAILED)
    show(f"{asked}: well")


def _of_this_container() -> Process | None:
    """Return the process that a container's first command line names."""
    try:
        words = _FIRST_PROCESS.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    return next((process for process in Process if process.value in words), None)


def _fault(asked: Process, settings: Settings) -> str | None:
    match asked:
        case Process.INGRESS:
            return _http_fault(reached_at(settings.host), settings.port, "/ready")
        case Process.EMULATOR:
            return _http_fault(LOOPBACK, _EMULATOR_PORT, "/health")
        case Process.WORKER:
            if settings.metrics_port:
                return _http_fault(reached_at(settings.host), settings.metrics_port, "/health")
            return asyncio.run(_workers_fault(settings))


def _http_fault(host: str, port: int, path: str) -> str | None:
    """Return why ``http://host:port/path`` does not answer 200, ``None`` when it does."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as exc:
        return f"{host} port {port} does not answer ({type(exc).__name__})"
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return None
    return f"{path} answers {answer.status}{_reasons(body)}"


def _reasons(body: bytes) -> str:
    """Return what an ingress that is not ready says about it."""
    try:
        state = json.loads(body)
        found = [f"{part}: {state[part]['error']}" for part in ("redis", "spool") if state[part]["error"]]
        found += ["it is stopping"] if state["stopping"] else []
    except (ValueError, KeyError, TypeError):
        return ""
    return " (" + "; ".join(found) + ")" if found else ""


async def _workers_fault(settings: Settings) -> str | None:
    """Return what the workers' health key in Redis says; arq has one key for all workers of a queue.

    So it cannot tell that the one here hangs; ``HOOKYARD_METRICS_PORT`` lets it be asked itself.
    """
    redis = open_redis(settings.redis_url, timeout_s=_TIMEOUT_S)
    try:
        beat = await redis.get(LedgerKeys(prefix=settings.prefix).queue + health_check_key_suffix)
    except (RedisError, OSError):
        return None
    finally:
        await close(redis)
    return None if beat else "no worker has said that it lives within half a minute"
