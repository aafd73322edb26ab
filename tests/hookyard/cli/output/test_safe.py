"""Text from outside cannot control a terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookyard.cli.output.safe import as_json, plain

TEXTS = st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Zl", "Zp"]))
HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(TEXTS)
def test_nothing_that_controls_or_formats_is_printed(text):
    for shown, kept in ((plain(text), "\n\t\u200c\u200d"), (as_json([text, {text: text}]), "\n")):
        assert not [char for char in shown if unicodedata.category(char) in HARMFUL and char not in kept]


@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists))
def test_json_means_the_same(document):
    assert json.loads(as_json(document)) == document
    assert json.loads(as_json(document, indent=None)) == document


@pytest.mark.parametrize("text", ["", "grün → 👩‍💻", "a\tb\nc", "x" * 1000])
def test_ordinary_text_stays(text):
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\r\nb", "a\nb"), ("\x1b[31m", "\ufffd[31m"), ("1\xa0000", "1 000"), ("\u202etxt", "\ufffdtxt")],
)
def test_what_is_not_ordinary_is_seen(text, shown):
    assert plain(text) == shown
