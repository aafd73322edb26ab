"""The bot of the compose run, in a folder of its own that workers mount: a handler that takes a moment."""

from __future__ import annotations

import asyncio
from typing import Any

from gidgetlab.routing import Router

router = Router()


@router.register("Push Hook")
async def take_a_moment(event: Any, gl: Any) -> None:
    """Stand for a call or two to GitLab."""
    await asyncio.sleep(0.05)
