"""Placeholders in a hook's URL and in its payload template.

`{name}` in a URL, `{{a.b}}` in a template ("Mask sensitive portions of webhook URLs" and "Custom
webhook template" in https://docs.gitlab.com/user/project/integrations/webhooks/ ). No I/O.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gitlab_emulator.hooks.request import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

IN_URL = re.compile(r"\{([A-Za-z]+[0-9]*(?:[._-][A-Za-z0-9]+)*)\}")
IN_TEMPLATE = re.compile(r"\{\{(.+?)\}\}")


class TemplateError(ValueError):
    """The template does not come out as JSON; the text says where it fails, without the values."""


def missing_variables(url: str, variables: Mapping[str, str]) -> list[str]:
    """The names in the URL that have no value."""
    return [name for name in IN_URL.findall(url) if name not in variables]


def fill_url(url: str, variables: Mapping[str, str]) -> str:
    """The URL to call; a name without a value stays as it is."""
    return IN_URL.sub(lambda hit: variables.get(hit[1], hit[0]), url)


def fill_template(template: str, data: object) -> object:
    """The payload that the template makes of an event's; raises TemplateError."""
    filled = IN_TEMPLATE.sub(lambda hit: _value(data, hit[1]), template)
    try:
        return json.loads(filled, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise TemplateError(
            f"Error while parsing rendered custom webhook template: no valid JSON{place}"
        ) from error


def _value(data: Any, path: str) -> str:
    """What stands in the data at this path, as it goes between a template's own quotes."""
    for part in path.split("."):
        if not isinstance(data, dict | None):
            raise TemplateError(
                "Error while parsing rendered custom webhook template: "
                "You may be trying to access an array value, which is not supported."
            )
        data = None if data is None else data.get(part)
    text = encode(data).decode()
    return text[1:-1] if isinstance(data, str) else text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
