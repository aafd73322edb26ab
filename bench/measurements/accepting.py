"""Webhooks accepted per second by one ingress process; what it says it kept must be in Redis.

First as GitLab sends them, with a new connection for each, then over connections that are kept, as a
load balancer may do.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bench import load
from bench.contenders import ARQ_INGRESS, ECHO, HOOKYARD_INGRESS, IN_MEMORY, INGRESSES, SAQ_INGRESS, Ingress
from bench.report import row
from bench.stage import SECRET, Stage, client_of
from bench.turns import in_turn

if TYPE_CHECKING:
    from bench.measurements.effort import Effort, Found


class NotKept(Exception):
    """More was answered than Redis has."""


def accepted_per_second(stage: Stage, ingress: Ingress, seconds: float, *, keep_alive: bool) -> float:
    """Put load on a fresh *ingress* over an empty Redis."""
    put_on = partial(load.put_on, payloads=stage.payloads, secret=SECRET, keep_alive=keep_alive)
    with stage.redis() as url, stage.serving(*ingress.arguments, REDIS_URL=url) as at:
        put_on(at.port, seconds=0.5)  # warm
        with client_of(url) as client:
            before: Any = client.zcard(ingress.kept) if ingress.kept else 0
            result = put_on(at.port, seconds=seconds)
            kept: Any = client.zcard(ingress.kept) if ingress.kept else 0
    if ingress.kept and kept - before < result.answered:
        raise NotKept(f"{result.answered} answered, {kept - before} in Redis")
    return result.per_second


def measure(stage: Stage, effort: Effort) -> Found:
    """Compare all ingresses, in both ways of sending."""
    is_everysec = stage.appendfsync == "everysec"
    rows, samples = [], {}
    for what, keep_alive, in_memory_bound, arq_bound in (
        ("accepted per second, one process, a new connection each", False, 1.0, 3.0),
        ("accepted per second, one process, connections kept", True, 1.3, 4.5),
    ):
        found = in_turn(
            what,
            "/s",
            {
                each.name: partial(accepted_per_second, stage, each, effort.load_s, keep_alive=keep_alive)
                for each in INGRESSES
            },
            rounds=effort.rounds,
        )
        bounds = (
            (IN_MEMORY, in_memory_bound if is_everysec else None),
            (ARQ_INGRESS, arq_bound),
            (SAQ_INGRESS, None),
            (ECHO, None),
        )
        rows += [
            row(
                what,
                found[HOOKYARD_INGRESS.name],
                against=other.name,
                other=found[other.name],
                at_least=bound,
            )
            for other, bound in bounds
        ]
        samples[what] = found
    return rows, samples
