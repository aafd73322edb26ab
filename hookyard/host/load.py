"""Load the bot's router from its import string, or its routers."""

from __future__ import annotations

import importlib
import sys
import traceback
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gidgetlab.routing import Router

from hookyard import Bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_GROUP: Final = "hookyard.bots"


class HandlersError(Exception):
    """The bot cannot be used; the text says what to change."""


def load_router(import_strings: str) -> Router:
    """Return the router that *import_strings* name, one bot of all where they name several.

    Each is ``module:router``, where ``router`` may be dotted (``mybot:app.bot``), or the name of an entry
    point in the group ``hookyard.bots``; several are separated by commas. The current directory is searched
    first. A ``GitLabBot`` of gidgetlab's stands for its router; its application is started and cleaned up.

    :raises HandlersError: when there is none, with the place in the bot's code where its import failed.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    routers = [_load(text) for text in filter(None, map(str.strip, import_strings.split(",")))]
    return routers[0] if len(routers) == 1 else Bot(*routers)


def _load(import_string: str) -> Router:
    module_name, colon, attribute = import_string.partition(":")
    if not colon:
        module_name, attribute = _entry_point(import_string)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name and (module_name == exc.name or module_name.startswith(f"{exc.name}.")):
            message = (
                f"HOOKYARD_HANDLERS={import_string}: there is no module {exc.name}; "
                f"looked in {Path.cwd()} and the installed packages"
            )
            raise HandlersError(message) from exc
        raise HandlersError(_broken(import_string, exc)) from exc
    except (Exception, SystemExit) as exc:  # a bot's module may raise anything when it is imported
        raise HandlersError(_broken(import_string, exc)) from exc
    found: Any = module
    for name in attribute.split("."):
        found = getattr(found, name, None)
    router = _router_in(found)
    if router is not None:
        if type(router).dispatch not in {Router.dispatch, Bot.dispatch}:
            raise HandlersError(_dispatches(import_string, router))
        return router
    routers = [name for name, value in vars(module).items() if _router_in(value) is not None]
    message = f"HOOKYARD_HANDLERS={import_string}: {module_name} has no gidgetlab Router named {attribute}"
    if routers:
        message += f"; it has {', '.join(routers)}"
    raise HandlersError(message)


def _entry_point(name: str) -> tuple[str, str]:
    """Return module and attribute of an installed bot."""
    found = {point.name: point for point in entry_points(group=_GROUP)}
    if name not in found:
        known = f"; installed are {', '.join(sorted(found))}" if found else ", and none is installed"
        message = (
            f"HOOKYARD_HANDLERS={name}: no installed package has a bot of this name (entry points {_GROUP})"
            f"{known}. A module's router is written module:router"
        )
        raise HandlersError(message)
    return found[name].module, found[name].attr


def _router_in(found: object) -> Router | None:
    """Return a router, or that of a ``GitLabBot``, whose web application is not served here."""
    if isinstance(found, Router):
        return found
    router = getattr(found, "router", None)
    if isinstance(found, type) or not isinstance(router, Router):
        return None
    app: Any = getattr(found, "app", None)
    if not (hasattr(app, "startup") and hasattr(app, "cleanup") and hasattr(app, "freeze")):
        return router

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        app.freeze()
        await app.startup()
        try:
            yield
        finally:
            await app.cleanup()

    return Bot(router, lifespan=lifespan)


def _dispatches(import_string: str, router: Router) -> str:
    return (
        f"HOOKYARD_HANDLERS={import_string}: {type(router).__name__} has a dispatch of its own, which is not "
        "called here, since each handler has outcomes of its own. What it passes to handlers, yield from a "
        "lifespan instead: bot = hookyard.Bot(router, lifespan=…), and name that"
    )


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
