"""Reading a form of one of our own pages; `browser_guard` refuses those of other sites."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect

from gitlab_emulator.gitlab_api.api import read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from gitlab_emulator.pages.rendering import Pages

    Act = Callable[[Request, "Form"], Awaitable[Response]]

MAX_FORM_BYTES = 1024 * 1024
MAX_FIELDS = 200


class FormError(ValueError):
    """The form cannot be carried out; the text says what to change."""


class Form:
    """A form's fields: one value each, but for boxes of one name, of which several may be ticked."""

    def __init__(self, encoded: str) -> None:
        try:
            self._fields = parse_qsl(encoded, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise FormError(f"a form has at most {MAX_FIELDS} fields") from error

    def text(self, name: str) -> str:
        """The field's value without blanks around it; empty when it is not there."""
        return next((value.strip() for key, value in self._fields if key == name), "")

    def ticked(self, name: str) -> list[str]:
        """The values of the boxes that are ticked."""
        return [value for key, value in self._fields if key == name]

    def number(self, name: str, allowed: range, default: int) -> int:
        """The field as a whole number; FormError when it is none of those."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) in allowed):  # noqa: PLR2004
            raise FormError(f"{name} must be a whole number from {allowed.start} to {allowed.stop - 1}")
        return int(text)


def carried_out_by(pages: Pages, act: Act) -> Callable[[Request], Awaitable[Response]]:
    """A route for a form: reads it, has `act` carry it out, and shows what was wrong with it."""

    async def route(request: Request) -> Response:
        try:
            body = await read_body(request, MAX_FORM_BYTES)
            if body is None:
                raise FormError(f"a form has at most {MAX_FORM_BYTES} bytes")
            response = await act(request, Form(body.decode("utf-8", "replace")))
            pages.changed()
            return response
        except FormError as error:
            return pages.refused(request, str(error))
        except ClientDisconnect:
            return pages.refused(request, "The form did not arrive whole.")

    return route
