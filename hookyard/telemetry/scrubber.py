"""Keeping this process's secrets out of what is stored, logged and shown.

A secret can get anywhere by an exception's text: that of a REST client that quotes a URL, of a subprocess
that quotes its command. What is meant for people goes through :func:`scrub`, which knows the configured
secrets in the forms in which texts quote them: as they are, percent-encoded, escaped as in JSON and in
``repr``, and in base64 (an ``Authorization: Basic …``).
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK: Final = "***"

_SHORTEST: Final = 4
"""Shorter secrets would blank out ordinary words everywhere, and protect nothing."""

_SHORT: Final = 8
"""A shorter one is replaced only where it stands by itself."""

_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def keep_out(secrets: Iterable[str]) -> None:
    """Have :func:`scrub` replace *secrets* from now on, beside those that it knows."""
    global _pattern  # noqa: PLW0603 - what this process must not show is one thing
    further = {secret for secret in secrets if len(secret) >= _SHORTEST} - _known
    if further:
        _known.update(further)
        forms = {form for secret in _known for form in _forms(secret)}
        _pattern = re.compile("|".join(_matching(form) for form in sorted(forms, key=len, reverse=True)))


def scrub(text: str) -> str:
    """Return *text* with every secret replaced by ``***``."""
    return text if _pattern is None else _pattern.sub(MASK, text)


def _matching(form: str) -> str:
    if len(form) >= _SHORT:
        return re.escape(form)
    return rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])"


def _forms(secret: str) -> Iterator[str]:
    """Yield how texts may spell *secret*."""
    yield secret
    encoded = secret.encode(errors="surrogatepass")
    for percent in (quote(encoded, safe=""), quote(encoded), quote_plus(encoded)):
        yield percent
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), percent)
    for ascii_only in (True, False):
        in_json = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield in_json
        yield json.dumps(in_json, ensure_ascii=ascii_only)[1:-1]  # a JSON text within one, as in a log line
    yield repr(secret)[1:-1]
    yield repr(encoded)[2:-1]
    yield ascii(secret)[1:-1]
    yield from _base64_forms(encoded)


def _base64_forms(secret: bytes) -> Iterator[str]:
    """Yield what base64 makes of *secret* wherever it begins in what is encoded, without its neighbours."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + secret).decode()
            whole = (before + len(secret)) * 8 // 6  # characters without a bit of what follows
            core = text[-(-before * 8 // 6) : whole]
            if len(core) >= _SHORT:
                yield core
