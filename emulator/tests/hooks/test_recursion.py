"""Deliveries that would go round in circles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gitlab_emulator.hooks.recursion import Chains

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_a_hook_runs_once_in_a_chain() -> None:
    chains = Chains()
    chains.register(1, "chain", NOW)
    assert chains.blocks(1, "chain", NOW)
    assert not chains.blocks(2, "chain", NOW)
    assert not chains.blocks(1, "another", NOW)


def test_a_call_without_the_header_starts_afresh() -> None:
    chains = Chains()
    chains.register(1, "chain", NOW)
    assert not chains.blocks(1, None, NOW)
    assert not chains.blocks(1, "", NOW)


def test_a_hundred_hooks_end_a_chain() -> None:
    chains = Chains()
    for hook_id in range(99):
        chains.register(hook_id, "chain", NOW)
    assert not chains.blocks(1000, "chain", NOW)
    chains.register(99, "chain", NOW)
    assert chains.blocks(1000, "chain", NOW)


def test_a_chain_is_forgotten_half_an_hour_after_its_last_delivery() -> None:
    chains, minute = Chains(), timedelta(minutes=1)
    chains.register(1, "chain", NOW)
    chains.register(2, "chain", NOW + 20 * minute)
    assert chains.blocks(1, "chain", NOW + 49 * minute)
    assert not chains.blocks(1, "chain", NOW + 50 * minute)
    chains.register(3, "other", NOW + 60 * minute)
    chains.register(2, "chain", NOW + 60 * minute)
    assert not chains.blocks(1, "chain", NOW + 60 * minute)
