"""A bot for many deliveries: one handler, which writes down what it ran, and fails when told to."""

from __future__ import annotations

import os
from typing import Any

from gidgetlab.routing import Router

from hookyard import current_delivery

router = Router()
_log = os.open("handled.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@router.register("Push Hook")
async def handle(event: Any, gl: Any) -> None:
    """Write the delivery's id down, one line in one write, and fail if it says so."""
    os.write(_log, f"{current_delivery().id}\n".encode())
    if event.data["kind"] == "fails always":
        raise ValueError("as it says")
