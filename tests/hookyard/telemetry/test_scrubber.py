"""No text for people holds a secret, in whatever form it was quoted."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hookyard.telemetry import scrubber
from hookyard.telemetry.scrubber import MASK, keep_out, scrub

SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=8, max_size=60)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Know no secret at first."""
    _forget(monkeypatch)


def _forget(monkeypatch):
    monkeypatch.setattr(scrubber, "_known", set())
    monkeypatch.setattr(scrubber, "_pattern", None)


QUOTED = {
    "as it is": str,
    "in a URL": lambda text: quote(text, safe=""),
    "in a path": quote,
    "in a form": quote_plus,
    "as a query": lambda text: urlencode({"token": text}),
    "in lower-case percents": lambda text: quote(text, safe="").lower() if text.islower() else quote(text),
    "in JSON": json.dumps,
    "in JSON beyond ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "in JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "by repr": repr,
    "by repr of bytes": lambda text: repr(text.encode()),
    "by ascii": ascii,
}


@given(secret=SECRETS, before=TEXTS, after=TEXTS, how=st.sampled_from(sorted(QUOTED)))
@example(secret='it\'s "quoted"\\', before="", after="", how="by repr")
@example(secret="p@ss/w0rd +ä", before="?", after="&", how="in a form")
def test_a_secret_is_replaced_however_it_is_quoted(secret, before, after, how):
    with pytest.MonkeyPatch.context() as patched:
        _forget(patched)
        keep_out([secret])
        shown = scrub(QUOTED[how](f"{before}{secret}{after}"))
        assert MASK in shown
        assert secret not in shown
        assert json.dumps(secret)[1:-1] not in shown
        assert repr(secret)[1:-1] not in shown
        assert quote(secret, safe="") not in shown


@given(secret=SECRETS, user=st.binary(max_size=12), after=st.binary(max_size=12), is_for_urls=st.booleans())
def test_a_secret_in_base64_cannot_be_read(secret, user, after, is_for_urls):
    encode = base64.urlsafe_b64encode if is_for_urls else base64.b64encode
    with pytest.MonkeyPatch.context() as patched:
        _forget(patched)
        keep_out([secret])
        text = encode(user + secret.encode() + after).decode()
        shown = scrub(f"Authorization: Basic {text}")
    assert MASK in shown
    hidden = len("Authorization: Basic ") + len(text) - len(shown) + len(MASK)
    assert hidden >= len(secret.encode()) * 8 // 6 - 1  # all but the characters shared with its neighbours


@given(TEXTS)
def test_what_holds_no_secret_stays(text):
    with pytest.MonkeyPatch.context() as patched:
        _forget(patched)
        assert scrub(text) == text
        keep_out(["glpat-0123456789abcdef"])
        assume("glpat" not in text)
        assert scrub(text) == text


def test_a_short_secret_is_replaced_only_where_it_stands_by_itself():
    keep_out(["12345", "abc"])
    assert scrub("token 12345, not 123456") == "token ***, not 123456"
    assert scrub("abc") == "abc"


def test_the_longer_of_two_secrets_goes_as_a_whole():
    keep_out(["secret-one", "secret-one-and-more"])
    assert scrub("secret-one-and-more secret-one") == "*** ***"
