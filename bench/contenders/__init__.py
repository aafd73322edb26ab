"""The contenders: how each is started, and where in Redis its unfinished work is counted.

Each module in here is one contender, the smallest honest version of it, and runs as a process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.contenders import filling

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingress:
    """A contender at the door; ``kept`` is the sorted set that has a member for each webhook kept."""

    name: str
    arguments: tuple[str, ...]
    kept: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """A contender that runs handlers.

    ``unfinished`` is the sorted set that holds its work until it is done; ``fill`` puts so many
    webhooks there, as its own client would; ``slow`` says that it gets less to do.
    """

    name: str
    arguments: tuple[str, ...]
    unfinished: str
    fill: Callable[[str, int], Coroutine[None, None, None]]
    slow: bool = False
    environment: dict[str, str] = field(default_factory=dict)


ECHO = Ingress(name="echo", arguments=("-m", "bench.contenders.echo"))
IN_MEMORY = Ingress(name="in-memory bot", arguments=("-m", "bench.contenders.in_memory"))
ARQ_INGRESS = Ingress(name="arq", arguments=("-m", "bench.contenders.arq_ingress"), kept="arq:queue")
SAQ_INGRESS = Ingress(
    name="SAQ", arguments=("-m", "bench.contenders.saq_ingress"), kept="saq:default:incomplete"
)
HOOKYARD_INGRESS = Ingress(name="Hookyard", arguments=("-m", "ingress"), kept="hookyard:received")
INGRESSES = (ECHO, IN_MEMORY, ARQ_INGRESS, SAQ_INGRESS, HOOKYARD_INGRESS)

ARQ = Worker(
    name="arq at its best",
    arguments=("-m", "bench.contenders.arq_worker"),
    unfinished="arq:queue",
    fill=filling.arq,
)
ARQ_DEFAULTS = Worker(
    name="arq's defaults",
    arguments=("-m", "arq", "bench.contenders.arq_worker.WorkerSettings"),
    unfinished="arq:queue",
    fill=filling.arq,
    slow=True,
)
SAQ = Worker(
    name="SAQ",
    arguments=("-m", "bench.contenders.saq_worker"),
    unfinished="saq:default:incomplete",
    fill=filling.saq,
)
HOOKYARD = Worker(
    name="Hookyard",
    arguments=("-m", "worker"),
    unfinished="hookyard:queue",
    fill=filling.hookyard,
)
HOOKYARD_TALKING = Worker(
    name="Hookyard, log level info",
    arguments=("-m", "worker"),
    unfinished="hookyard:queue",
    fill=filling.hookyard,
    environment={"HOOKYARD_LOG_LEVEL": "info"},
)
WORKERS = (ARQ, ARQ_DEFAULTS, SAQ, HOOKYARD, HOOKYARD_TALKING)
