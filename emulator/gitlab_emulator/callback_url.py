"""The address of a callback: the configured URL, with a job's result in its query.

Pure.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit, urlunsplit

DELAY_S = 5.0
MAX_URL_CHARS = 2_000
MAX_PORT = 65_535


def checked(text: str) -> str:
    """Return the callback URL without a fragment; raise ValueError that says what is wrong with it."""
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


def with_result(callback_url: str, *, identifier: str, some_parameter: str | None) -> str:
    """Return the callback URL of a finished job; the result follows a query that is there already."""
    result = {"success": "true", "identifier": identifier}
    if some_parameter is not None:
        result["some_parameter"] = some_parameter
    parts = urlsplit(callback_url)
    query = "&".join(part for part in (parts.query, urlencode(result, quote_via=quote)) if part)
    return urlunsplit(parts._replace(query=query))


def shown(callback_url: str) -> str:
    """Return the URL without a password, and without its query, which may contain a secret."""
    parts = urlsplit(callback_url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
