"""Load the bot's router from its import string."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from gidgetlab.routing import Router


class HandlersError(Exception):
    """The bot cannot be used; the text says what to change."""


def load_router(import_string: str) -> Router:
    """Return the router at *import_string*, ``module:router``; the current directory is searched first.

    :raises HandlersError: when there is none, with the place in the bot's code where its import failed.
    """
    module_name, _, attribute = import_string.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name and (module_name == exc.name or module_name.startswith(f"{exc.name}.")):
            message = (
                f"HOOKYARD_HANDLERS={import_string}: there is no module {exc.name}; "
                f"looked in {here} and the installed packages"
            )
            raise HandlersError(message) from exc
        raise HandlersError(_broken(import_string, exc)) from exc
    except (Exception, SystemExit) as exc:  # a bot's module may raise anything when it is imported
        raise HandlersError(_broken(import_string, exc)) from exc
    router = getattr(module, attribute, None)
    if isinstance(router, Router):
        return router
    routers = [name for name, value in vars(module).items() if isinstance(value, Router)]
    message = f"HOOKYARD_HANDLERS={import_string}: {module_name} has no gidgetlab Router named {attribute}"
    if routers:
        message += f"; it has {', '.join(routers)}"
    raise HandlersError(message)


def _broken(import_string: str, exc: BaseException) -> str:
    text = exc.msg if isinstance(exc, SyntaxError) else str(exc)  # whose str() has half of the place
    reason = f"{type(exc).__name__}: {text}{_place(exc)}"
    return f"HOOKYARD_HANDLERS={import_string}: importing it failed with {reason}"


def _place(exc: BaseException) -> str:
    """Return the file and line of the bot's code that failed."""
    if isinstance(exc, SyntaxError) and exc.filename and Path(exc.filename).is_file():
        return f" ({exc.filename}, line {exc.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(exc.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
