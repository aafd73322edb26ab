"""The command ``health``: ask a process on this machine, or in this container, whether it is healthy.

Container engines run it every half minute: one line, exit code 0 or 1. Unhealthy means that a restart
would help, so a worker that waits for Redis is healthy.
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
from hookyard.cli.up.ports import LOOPBACK, reachable_host
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
    CONSOLE = "console"
    EMULATOR = "emulator"


def health(
    process: Annotated[
        str | None,
        typer.Argument(
            metavar="PROCESS",
            help=f"{', '.join(Process)}.",
            show_default="the one that runs in this container",
        ),
    ] = None,
) -> None:
    """Ask a process on this machine whether it is healthy.

    Prints one line; exit code 0 or 1, for container engines.
    """
    if process is not None and process not in set(Process):
        stop(f"There is no process {process}; choose one of {', '.join(Process)}.", EXIT_USAGE)
    asked = Process(process) if process else _of_this_container()
    if asked is None:
        stop(f"Which process? Name one: hookyard health {'|'.join(Process)}", EXIT_USAGE)
    settings = context_or_exit().settings
    fault = _fault(asked, settings)
    if fault:
        stop(f"{asked}: {fault}", EXIT_FAILED)
    show(f"{asked}: healthy")


def _of_this_container() -> Process | None:
    """Return the process that the command line of a container's first process names."""
    try:
        words = _FIRST_PROCESS.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    modules = {word.rpartition(".")[2] for word in words}  # the console's is hookyard.console
    return next((process for process in Process if process.value in modules), None)


def _fault(asked: Process, settings: Settings) -> str | None:
    match asked:
        case Process.INGRESS:
            return _http_fault(reachable_host(settings.host), settings.port, "/ready")
        case Process.CONSOLE:
            return _http_fault(reachable_host(settings.host), settings.console_port, "/health")
        case Process.EMULATOR:
            return _http_fault(LOOPBACK, _EMULATOR_PORT, "/health")
        case Process.WORKER:
            if settings.metrics_port:
                return _http_fault(reachable_host(settings.host), settings.metrics_port, "/health")
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
    return f"{path} answered {answer.status}{_reasons(body)}"


def _reasons(body: bytes) -> str:
    """Return the reasons that an ingress which is not ready gives."""
    try:
        state = json.loads(body)
        found = [f"{part}: {state[part]['error']}" for part in ("redis", "spool") if state[part]["error"]]
        found += ["it is stopping"] if state["stopping"] else []
    except (ValueError, KeyError, TypeError):
        return ""
    return " (" + "; ".join(found) + ")" if found else ""


async def _workers_fault(settings: Settings) -> str | None:
    """Return what the workers' health key in Redis says; arq has one key for all workers of a queue.

    It cannot tell that the worker on this machine hangs; with ``HOOKYARD_METRICS_PORT`` that one is asked.
    """
    redis = open_redis(settings.redis_url, timeout_s=_TIMEOUT_S)
    try:
        beat = await redis.get(LedgerKeys(prefix=settings.prefix).queue + health_check_key_suffix)
    except (RedisError, OSError):
        return None
    finally:
        await close(redis)
    return None if beat else "no worker has sent a heartbeat for half a minute"
