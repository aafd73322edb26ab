"""Webhooks accepted per second by one ingress process; what it says it kept must be in Redis."""

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


def accepted_per_second(stage: Stage, ingress: Ingress, seconds: float) -> float:
    """Put load on a fresh *ingress* over an empty Redis."""
    with stage.redis() as url, stage.serving(*ingress.arguments, REDIS_URL=url) as at:
        load.put_on(at.port, payloads=stage.payloads, secret=SECRET, seconds=0.5)  # warm
        with client_of(url) as client:
            before: Any = client.zcard(ingress.kept) if ingress.kept else 0
            result = load.put_on(at.port, payloads=stage.payloads, secret=SECRET, seconds=seconds)
            kept: Any = client.zcard(ingress.kept) if ingress.kept else 0
    if ingress.kept and kept - before < result.answered:
        raise NotKept(f"{result.answered} answered, {kept - before} in Redis")
    return result.per_second


def measure(stage: Stage, effort: Effort) -> Found:
    """Compare all ingresses."""
    samples = in_turn(
        "accepted",
        "/s",
        {each.name: partial(accepted_per_second, stage, each, effort.load_s) for each in INGRESSES},
        rounds=effort.rounds,
    )
    mine = samples[HOOKYARD_INGRESS.name]
    is_everysec = stage.appendfsync == "everysec"
    what = "accepted per second, one process"
    bounds = (
        (IN_MEMORY, 1.0 if is_everysec else None),
        (ARQ_INGRESS, 4.0),
        (SAQ_INGRESS, None),
        (ECHO, None),
    )
    rows = [
        row(what, mine, against=other.name, other=samples[other.name], at_least=bound)
        for other, bound in bounds
    ]
    return rows, {"accepted": samples}
