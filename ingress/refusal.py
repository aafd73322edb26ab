"""Refusals: the answers to requests that are not accepted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An answer of 4xx or 503.

    :param reason: a slug for metrics and logs.
    :param detail: one plain line for whoever set up the webhook; never quotes the request.
    """

    status: int
    reason: str
    detail: str
