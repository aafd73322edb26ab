"""Which handlers an event has: loads the bot's router and asks gidgetlab's own matching.

gidgetlab's ``Router.dispatch`` finds and runs in one go. Here every callback is registered a second
time in a router of ours whose callbacks only note what was found, so the matching is gidgetlab's to
the letter, in its order. What it stumbles over (null or list ``object_attributes``, unhashable
values, bodies that are no object) is kept from it, so such an event simply matches less.
"""

from __future__ import annotations

import functools
import importlib
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gidgetlab.routing import Router
from gidgetlab.sansio import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class HandlersError(Exception):
    """The import string does not lead to a router; the text says what to mend."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handler:
    """A registered callback and its name, ``module:qualname``.

    One that is found twice for the same event is called twice, as gidgetlab does; the second has
    ``#2`` behind its name.
    """

    name: str
    call: Callable[..., Any]


class _Matchable(Event):
    """An event as gidgetlab's matching can bear it."""

    @cached_property
    def object_attributes(self) -> dict[str, Any]:
        """The attributes that can be compared; none where the body has none."""
        attributes = self.data.get("object_attributes") if isinstance(self.data, dict) else None
        if not isinstance(attributes, dict):
            return {}
        return {key: value for key, value in attributes.items() if _is_hashable(value)}


class _Noting(Router):
    """A router whose callbacks put the callback they stand for into the list they are called with."""

    def add(self, func: Callable[..., Any], event_type: str, **object_attribute: Hashable) -> None:
        """Register a stand-in for *func*; gidgetlab's constructor comes through here as well."""

        async def note(_event: Event, found: list[Callable[..., Any]]) -> None:
            found.append(func)

        super().add(note, event_type, **object_attribute)


class Finder:
    """Finds an event's handlers in a gidgetlab router, as that was when this was made."""

    def __init__(self, router: Router) -> None:
        self._checkpointing = _Noting(router)

    async def find(self, event: Event) -> list[Handler]:
        """Return the handlers of *event* in the order in which gidgetlab would call them."""
        found: list[Callable[..., Any]] = []
        await self._checkpointing.dispatch(_Matchable(event.data, event=event.event), found)
        seen: dict[str, int] = {}
        handlers = []
        for call in found:
            name = handler_name(call)
            seen[name] = seen.get(name, 0) + 1
            handlers.append(Handler(name=name if seen[name] == 1 else f"{name}#{seen[name]}", call=call))
        return handlers


def handler_name(call: Callable[..., Any]) -> str:
    """Return ``module:qualname``; for a partial that of its function, for an object that of its class."""
    while isinstance(call, functools.partial):
        call = call.func
    if not hasattr(call, "__qualname__"):
        call = type(call)
    return f"{call.__module__}:{call.__qualname__}"


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


def load_router_or_exit(import_string: str) -> Router:
    """Return the router; a fault is printed and ends the process with exit code 2, like a wrong setting."""
    try:
        return load_router(import_string)
    except HandlersError as exc:
        sys.stderr.write(f"{exc}\n")
        raise SystemExit(2) from None


def _broken(import_string: str, exc: BaseException) -> str:
    text = exc.msg if isinstance(exc, SyntaxError) else str(exc)  # whose str() has half of the place
    reason = f"{type(exc).__name__}: {text}{_place(exc)}"
    return f"HOOKYARD_HANDLERS={import_string}: importing it failed with {reason}"


def _place(exc: BaseException) -> str:
    """Return the file and line of the bot's code that failed."""
    if isinstance(exc, SyntaxError) and exc.filename and Path(exc.filename).is_file():
        return f" ({exc.filename}, line {exc.lineno})"
    trace, place = exc.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "importlib" not in code.co_filename and code.co_filename != __file__:
            place = f" ({code.co_filename}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
