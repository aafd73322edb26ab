"""What address a callback goes to: the one in the settings, with a job's result in its query.

Pure.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit, urlunsplit

MAX_URL_CHARS = 2_000
MAX_PORT = 65_535


def checked(text: str) -> str:
    """The callback URL, without a fragment; ValueError with what is wrong with it otherwise."""
    example = "give one such as http://127.0.0.1:9000/done"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"the callback URL cannot be read ({error}): {example}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f"the callback URL is no http:// or https:// address: {example}")
    if len(text) > MAX_URL_CHARS or not text.strip().isprintable() or " " in text.strip():
        raise ValueError(
            f"the callback URL holds blanks or is longer than {MAX_URL_CHARS} characters: {example}"
        )
    return urlunsplit(parts._replace(fragment=""))


def with_result(callback_url: str, *, identifier: str, some_parameter: str) -> str:
    """The callback URL of one finished job; a query that it has already stays in front."""
    result = {"success": "true", "identifier": identifier, "some_parameter": some_parameter}
    parts = urlsplit(callback_url)
    query = "&".join(part for part in (parts.query, urlencode(result, quote_via=quote)) if part)
    return urlunsplit(parts._replace(query=query))


def shown(callback_url: str) -> str:
    """The address as people may see it: without a password, and without the query, which may hold one."""
    parts = urlsplit(callback_url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
