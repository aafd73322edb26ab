"""What every contender is given: by the same environment variables that Hookyard reads."""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gidgetlab.routing import Router

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
SECRET = os.environ.get("GL_SECRET", "")
PORT = int(os.environ.get("HOOKYARD_PORT", "8000"))
SLOTS = int(os.environ.get("HOOKYARD_SLOTS", "100"))
LOG_LEVEL = os.environ.get("HOOKYARD_LOG_LEVEL", "warning").upper()


def router() -> Router:
    """Return the bot's router."""
    module, _, name = os.environ["HOOKYARD_HANDLERS"].partition(":")
    found: Router = getattr(importlib.import_module(module), name)
    return found


def configure_logs() -> None:
    """Log to standard error from the given level on."""
    logging.basicConfig(level=LOG_LEVEL, format="%(asctime)s %(message)s")
