"""Redaction for the event log: tokens, custom header values, e-mail addresses, passwords in URLs.

Pure. https://docs.gitlab.com/user/project/integrations/webhooks/#view-webhook-request-history
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REDACTED = "[REDACTED]"
EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII | re.IGNORECASE)
USERINFO = re.compile(r"(?<=://)[^/?#@]*@")
MAX_RESPONSE_HEADERS = 50
MAX_HEADER_BYTES = 1024
MAX_BODY_BYTES = 8 * 1024


def request_headers(sent: Mapping[str, str], *, custom: Iterable[str]) -> dict[str, str]:
    """The headers that went out; the token and those that the hook's owner added without their values."""
    secret = {name.lower() for name in custom} | {"x-gitlab-token"}
    return {name: REDACTED if name.lower() in secret else value for name, value in sent.items()}


def response_headers(received: Mapping[str, str]) -> dict[str, str]:
    """The first fifty headers that came back, named as GitLab names them, each value cut to 1 KB."""
    first = list(received.items())[:MAX_RESPONSE_HEADERS]
    return {
        "-".join(part.capitalize() for part in name.split("-")): truncated(value, MAX_HEADER_BYTES)
        for name, value in first
    }


def without_emails(data: Any) -> Any:
    """A copy of the data in which every value that is an e-mail address as a whole is blacked out."""
    if isinstance(data, dict):
        return {name: without_emails(value) for name, value in data.items()}
    if isinstance(data, list):
        return [without_emails(value) for value in data]
    return REDACTED if isinstance(data, str) and EMAIL.fullmatch(data) else data


def without_userinfo(url: str) -> str:
    """A URL with asterisks for the user and password in it."""
    return USERINFO.sub("*****:*****@", url)


def truncated(text: str, max_bytes: int) -> str:
    """As much of the text as fits, with an ellipsis in place of the rest."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= max_bytes:
        return text
    ellipsis = "…".encode()
    return whole[: max_bytes - len(ellipsis)].decode("utf-8", "ignore") + ellipsis.decode()
