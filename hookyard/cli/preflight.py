"""``hookyard preflight``: whether an ingress and a worker could start with the settings that are here.

docker-compose runs it before anything else, so that a missing secret, or an example's, stops the stack
with its reason instead of having every process start again and again.
"""

from __future__ import annotations

from hookyard.cli.output.terminal import show
from hookyard.settings.settings import ingress_faults, load_or_exit


def preflight() -> None:
    """Say whether the settings here can be used; starts nothing.

    Exit code 2 and every fault in one message when they cannot.
    """
    load_or_exit(ingress_faults)
    show("the settings can be used")
