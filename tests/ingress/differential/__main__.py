"""Mutate raw requests at random and compare what comes of them, whole and cut: ``make fuzz``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import time

import structlog

from hookyard.settings.settings import load
from ingress.connection import Connections, protocol
from tests.ingress.differential.connecting import Server
from tests.ingress.differential.mutation import find_fault, mutate


async def fuzz(requests: int, seed: int) -> int:
    """Try so many requests; return the exit code."""
    connections = Connections(most=100, keep_alive_s=60, refused=lambda *_given: None)
    server = Server(load(GL_SECRET="right", HOOKYARD_LOG_LEVEL="error"), protocol(connections))
    chance = random.Random(seed)
    began, accepted = time.monotonic(), 0
    for number in range(requests):
        data = mutate(chance)
        fault = await find_fault(server, data, chance)
        if fault is not None:
            print(f"request {number} of seed {seed}: {data!r}\n{fault}")
            return 1
        accepted += server.accepted
    print(
        f"{requests} requests, {accepted} deliveries, seed {seed}, {time.monotonic() - began:.0f} s: no fault"
    )
    return 0


def main() -> int:
    """Parse the options and run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return asyncio.run(fuzz(options.requests, options.seed))


if __name__ == "__main__":
    sys.exit(main())
