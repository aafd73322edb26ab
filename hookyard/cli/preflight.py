"""The command ``preflight``: a check of the settings before an ingress and a worker start.

docker-compose runs it first, so that a missing or placeholder secret stops the stack with one message
instead of having every process restart again and again.
"""

from __future__ import annotations

from hookyard.cli.output.terminal import show
from hookyard.settings.settings import ingress_faults, load_or_exit, worker_faults


def preflight() -> None:
    """Check the settings of an ingress and a worker.

    Starts nothing. When they cannot be used, names every fault in one message
    and ends with exit code 2.
    """
    load_or_exit(lambda settings: [*ingress_faults(settings), *worker_faults(settings)])
    show("The settings can be used.")
