"""What holds for every test, here and in ``emulator/tests``."""

from __future__ import annotations

import os

pytest_plugins = ["tests.leak_check"]


def pytest_xdist_auto_num_workers() -> int:
    """Return what ``-n auto`` means: two for each core, since tests spend half their time waiting."""
    return 2 * (os.cpu_count() or 1)
