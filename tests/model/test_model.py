"""A short run of the model; ``make model MINUTES=10`` is a long one."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import LedgerMachine


def test_the_ledger_keeps_to_its_reference(own_redis):
    machine = type("Machine", (LedgerMachine,), {"url": own_redis.url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
