"""What gidgetlab makes of a webhook request: the same event at the door and in the worker. Pure."""

from __future__ import annotations

import json

from gidgetlab.sansio import Event


def read_event(name: str, content_type: str | None, body: bytes) -> Event:
    """Return the event that ``Event.from_http`` gives; the request is known to be authentic.

    For GitLab's own content type gidgetlab decodes UTF-8 and parses JSON, after it has read the header
    with the email package, at half the cost of the JSON; here that is left out. Whatever goes wrong
    is left to gidgetlab, so that it goes wrong as it does there.

    :raises gidgetlab.exceptions.BadRequest: for a wrong content type and a malformed body alike.
    :raises LookupError: for an unknown charset.
    :raises RecursionError: for JSON that is nested too deeply.
    """
    if content_type == "application/json" and body:
        try:
            return Event(json.loads(body.decode()), event=name)
        except ValueError:
            pass
    headers = {"x-gitlab-event": name}
    if content_type is not None:
        headers["content-type"] = content_type
    return Event.from_http(headers, body)
