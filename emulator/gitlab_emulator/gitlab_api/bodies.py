"""Parse a request's query and body into one set of parameters, the way GitLab does.

Query and body count alike, the body wins. What cannot be read raises `Refusal` with a 4xx, whatever
the bytes: nothing that a client sends ends in a 500. No I/O.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from gitlab_emulator.gitlab_api.call import Refusal

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_BODY_BYTES = 8 * 1024 * 1024


def parse(content_type: str, body: bytes) -> object:
    """The body's meaning: JSON, or a form's fields; None for an empty one.

    400 for what is not valid JSON (nor NaN, nor half a surrogate pair: they cannot be sent back),
    415 for another content type. Without a content type it is taken for JSON.
    """
    if not body:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM_TYPE:
        return fields(body.decode("utf-8", "replace"))
    if kind not in ("", JSON_TYPE):
        raise Refusal(415, {"error": f"The provided content-type '{kind}' is not supported."})
    return read_json(body)


def read_json(body: bytes) -> object:
    """Strict JSON in UTF-8; Refusal 400 otherwise."""
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Refusal(400, {"error": "400 Bad Request: the body is not valid JSON"}) from error
    return data


def parameters(query: str, body: object) -> dict[str, Any]:
    """One set of parameters from the query string and the parsed body, which must be an object."""
    if body is not None and not isinstance(body, dict):
        raise Refusal(400, {"error": "400 Bad Request: the body must be a JSON object"})
    return {**fields(query), **(body or {})}


def fields(encoded: str) -> dict[str, Any]:
    """Form fields by name: `name[]` collects a list, of doubles the last counts."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        if name.endswith("[]"):
            listed = found.get(name[:-2])
            found[name[:-2]] = [*listed, value] if isinstance(listed, list) else [value]
        else:
            found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
