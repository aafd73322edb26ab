"""What holds for every test, here and in ``emulator/tests``."""

from __future__ import annotations

import os
from itertools import chain, groupby

import pytest

pytest_plugins = ["tests.leak_check"]


def pytest_xdist_auto_num_workers() -> int:
    """Return what ``-n auto`` means: two for each core, since tests spend half their time waiting."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have each of pytest-xdist's workers begin with slow tests, so that the last to run are quick ones.

    A worker starts with an equal part of the list. A module stays with one worker, for its fixtures.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = [item for item in items if not item.get_closest_marker("slow")]
    for number, (_, module) in enumerate(groupby(slow, key=lambda item: item.path)):
        parts[number % workers].extend(module)
    for part in parts:
        room = max(0, len(items) // workers - len(part))
        part.extend(quick[:room])
        del quick[:room]
    items[:] = [*chain.from_iterable(parts), *quick]
