"""How the samples are listed."""

from __future__ import annotations

import json

import pytest
from gitlab_emulator.sample_list import listing, listing_as_json
from gitlab_emulator.samples.catalogue import SAMPLES


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_lines_that_fit(columns: int) -> None:
    """With every name, under its header."""
    lines = listing(columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert not [line for line in lines if line != line.rstrip()]
    event = ""
    seen = {}
    for line in lines:
        if line and not line.startswith(" "):
            event = line
        elif line.startswith("  ") and line[2] != " ":
            seen[line.split()[0]] = event
    assert seen == {name: sample.event for name, sample in SAMPLES.items()}


def test_a_pipe_gets_one_line_for_each_sample() -> None:
    """So that grep finds the name with what it is."""
    lines = [line for line in listing(None).splitlines() if line.startswith("  ")]
    assert len(lines) == len(SAMPLES)
    assert all(sample.summary in line for line, sample in zip(lines, SAMPLES.values(), strict=True))


def test_a_program_gets_json() -> None:
    """Name, header, summary."""
    rows = json.loads(listing_as_json())
    assert [row["name"] for row in rows] == list(SAMPLES)
    assert rows[0].keys() == {"name", "event", "summary"}
