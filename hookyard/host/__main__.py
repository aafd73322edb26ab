"""Start one host process: ``python -m hookyard.host``, by a worker.

It first sees to it that it dies with its supervisor; only then it imports what takes long.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LOOK_EVERY_S = 1.0


def main() -> None:
    """Read the options and become a host."""
    parser = argparse.ArgumentParser(prog="python -m hookyard.host", description=__doc__)
    parser.add_argument("--link", type=int, required=True, help="descriptor of the socket to the supervisor")
    parser.add_argument("--cell", type=int, required=True, help="descriptor of the shared cell")
    parser.add_argument("--supervisor", type=int, required=True, help="process id of the supervisor")
    given = parser.parse_args()
    _die_with(given.supervisor)
    from hookyard.host.entry import run  # noqa: PLC0415 - see above

    run(link=given.link, cell=given.cell)


def _die_with(supervisor: int) -> None:
    """Have this process killed when *supervisor* dies, also by SIGKILL and while this one is stuck."""
    with contextlib.suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        os._exit(0)  # it died before that was in force
    if not sys.platform.startswith("linux"):
        threading.Thread(target=_watch, args=(supervisor,), daemon=True).start()


def _watch(supervisor: int) -> None:
    while os.getppid() == supervisor:
        time.sleep(_LOOK_EVERY_S)
    os._exit(0)


if __name__ == "__main__":
    main()
