"""A long run of the model against a Redis of its own: ``make model MINUTES=10``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from hookyard.redis.embedded import EmbeddedRedis, find_server
from tests.model.machine import LedgerMachine
from tests.model.reference import Reference

EXAMPLES = 25
"""Sequences of one seed; between seeds the clock is looked at."""

LONG_ENOUGH_MIN = 5
MUST_MEET = {
    *(f"lapsed: {how}" for how in ("requeued", "quarantined", "uncounted", "counted")),
    *("failed by crashes", "a verdict fell", "a crash taken back", "a replay refused"),
    *("regained from failed, counted", "regained from queued, quarantined"),
    *("replay after a lapse", "replay after a run", "settled again: True", "settled again: False"),
}
"""What a run of some minutes must have come across to mean anything."""


def main() -> int:
    """Run until the time is over or something does not hold; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first round; a failing one is printed")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="do not look for a shorter example")
    given = parser.parse_args()
    number = random.randrange(2**32) if given.seed is None else given.seed
    began = time.monotonic()
    rounds = 0
    phases = (Phase.generate,) if given.quick else (Phase.generate, Phase.shrink)
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedRedis(Path(directory), server=find_server(), port=0)
        server.start()
        try:
            while time.monotonic() - began < given.minutes * 60:
                machine = type("Machine", (LedgerMachine,), {"url": server.url})
                try:
                    run_state_machine_as_test(
                        seed(number)(machine),
                        settings=settings(
                            max_examples=EXAMPLES,
                            stateful_step_count=given.steps,
                            deadline=None,
                            database=None,
                            phases=phases,
                            report_multiple_bugs=False,
                            suppress_health_check=list(HealthCheck),
                        ),
                    )
                except Exception:  # noqa: BLE001 - whatever does not hold
                    traceback.print_exc()
                    sys.stderr.write(f"seed {number}, after {time.monotonic() - began:.1f} s\n")
                    return 1
                rounds += 1
                number += 1
        finally:
            server.stop()
    unmet = MUST_MEET - Reference.reached.keys()
    for what, times in sorted(Reference.reached.items()):
        sys.stdout.write(f"{times:8} {what}\n")
    sys.stdout.write(f"{rounds * EXAMPLES} sequences of up to {given.steps} steps: everything held\n")
    if unmet and given.minutes >= LONG_ENOUGH_MIN:
        sys.stderr.write(f"never met, so nothing is known of it: {', '.join(sorted(unmet))}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
