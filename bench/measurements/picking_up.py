"""From an idle ingress's answer to the start of the handler in an idle worker, one delivery at a time."""

from __future__ import annotations

import os
import random
import select
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.contenders import ARQ_DEFAULTS, ARQ_INGRESS, HOOKYARD, HOOKYARD_INGRESS, Ingress, Worker
from bench.load.generator import requests_from
from bench.report import row
from bench.stage import SECRET, Stage
from bench.turns import Samples, in_turn

if TYPE_CHECKING:
    from bench.measurements.effort import Effort, Found

_ARRIVES_S: Final = 30.0
_WARM: Final = 3


class NoStart(Exception):
    """A handler did not start in time."""


def waits_ms(
    stage: Stage, ingress: Ingress, worker: Worker, *, count: int, longest_pause_s: float
) -> list[float]:
    """Post *count* deliveries, each after a pause of random length when the last has started.

    The pause is as long as the longest poll, so that no delivery arrives in step with it. What
    starts before the answer has reached the client counts as 0.
    """
    requests = requests_from(stage.payloads, SECRET, keep_alive=True)
    chance = random.Random(5)  # noqa: S311 - the same pauses in every run
    found = []
    with stage.redis() as url, stage.pipe() as (pipe, named):
        given = {"REDIS_URL": url, "HOOKYARD_HANDLERS": "bench.bot:marks", **named}
        with (
            stage.process(*worker.arguments, **given),
            stage.serving(*ingress.arguments, REDIS_URL=url) as at,
        ):
            for number in range(count + _WARM):
                time.sleep(0.02 + chance.random() * longest_pause_s)
                before, after = requests[number % len(requests)]
                with socket.create_connection(("127.0.0.1", at.port)) as connection:
                    connection.sendall(before + b"00000000-0000-4000-8000-%012x" % number + after)
                    answer = connection.recv(4096)
                    answered_ns = time.time_ns()
                if not answer.startswith(b"HTTP/1.1 202"):
                    raise NoStart(f"answered {answer[:30]!r}")
                found.append(max(0, _start_ns(pipe) - answered_ns) / 1e6)
    return found[_WARM:]


def _start_ns(pipe: int) -> int:
    ready, _, _ = select.select([pipe], [], [], _ARRIVES_S)
    if not ready:
        raise NoStart(f"no handler started within {_ARRIVES_S:g} s")
    return int(os.read(pipe, 64).split()[0])


def measure(stage: Stage, effort: Effort) -> Found:
    """Compare with arq's defaults."""
    all_ms: dict[str, list[float]] = {}

    def p50(name: str, *pair: object, **how: object) -> float:
        all_ms[name] = sorted([*all_ms.get(name, []), *waits_ms(stage, *pair, **how)])  # type: ignore[arg-type]  # passed on
        return all_ms[name][len(all_ms[name]) // 2]

    samples = in_turn(
        "pick-up p50",
        "ms",
        {
            HOOKYARD.name: partial(
                p50,
                HOOKYARD.name,
                HOOKYARD_INGRESS,
                HOOKYARD,
                count=effort.singles,
                longest_pause_s=0.05,
            ),
            ARQ_DEFAULTS.name: partial(
                p50,
                ARQ_DEFAULTS.name,
                ARQ_INGRESS,
                ARQ_DEFAULTS,
                count=effort.slow_singles,
                longest_pause_s=0.5,
            ),
        },
        rounds=1,
    )
    p99 = {
        name: Samples(unit="ms", values=[values[int(len(values) * 0.99)]]) for name, values in all_ms.items()
    }
    rows = [
        row(
            "idle pick-up, p50",
            samples[HOOKYARD.name],
            against=ARQ_DEFAULTS.name,
            other=samples[ARQ_DEFAULTS.name],
            at_most=0.02,
        )
    ]
    if HOOKYARD.name in p99:
        rows.append(row("idle pick-up, p99", p99[HOOKYARD.name], at_most=5.0))
    return rows, {"pick-up p50": samples, "pick-up p99": p99}
