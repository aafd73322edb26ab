"""What looks wrong in a bot although it can be run: events that never come, calls that block, missing awaits.

Found in the registrations and in the source of the handlers; the events are those of GitLab's documentation
("Webhook events"), where an attribute in the wrong place never matches (gidgetlab looks into
``object_attributes`` only).
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import textwrap
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

_ISSUE: Final = frozenset({"open", "close", "reopen", "update"})
_NOTE: Final = frozenset({"create", "update"})
ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    "Issue Hook": _ISSUE,
    "Confidential Issue Hook": _ISSUE,
    "Merge Request Hook": _ISSUE | {"merge", "approval", "approved", "unapproval", "unapproved"},
    "Note Hook": _NOTE,
    "Confidential Note Hook": _NOTE,
    "Wiki Page Hook": frozenset({"create", "update", "delete"}),
    "Emoji Hook": frozenset({"award", "revoke"}),
}
"""The values of ``object_attributes.action``."""

OTHERS: Final = frozenset(
    {"Pipeline Hook", "Feature Flag Hook", "Vulnerability Hook", "Resource Access Token Hook"}
    | {"Resource Deploy Token Hook", "Service Hook", "System Hook"}
)
WITHOUT_ATTRIBUTES: Final = frozenset(
    {"Push Hook", "Tag Push Hook", "Job Hook", "Deployment Hook", "Release Hook", "Milestone Hook"}
    | {"Member Hook", "Project Hook", "Subgroup Hook"}
)
"""Events whose body has no ``object_attributes`` that a registration could compare."""

EVENTS: Final = frozenset({*ACTIONS, *OTHERS, *WITHOUT_ATTRIBUTES})
_OURS: Final = ("task:", "schedule:")
_BLOCKING: Final = frozenset(
    {"time.sleep", "os.system", "urllib.request.urlopen", "socket.create_connection"}
    | {f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output")}
    | {f"requests.{name}" for name in ("get", "post", "put", "patch", "delete", "head", "request")}
    | {f"httpx.{name}" for name in ("get", "post", "put", "patch", "delete", "head", "request")}
)
_CLIENT: Final = frozenset({"getitem", "getstatus", "post", "put", "patch", "delete", "graphql"})
_AWAITED: Final = frozenset({"asyncio.sleep", "asyncio.wait_for", "asyncio.gather", "asyncio.to_thread"})


def registration_faults(event: str, attributes: Mapping[str, Hashable]) -> Iterator[str]:
    """Yield why a registration never matches, as far as can be told."""
    if event.startswith(_OURS):
        return
    if event not in EVENTS:
        near = difflib.get_close_matches(event, EVENTS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield f"GitLab sends no {event!r}{hint}"
        return
    if attributes and event in WITHOUT_ATTRIBUTES:
        named = ", ".join(attributes)
        yield f"{event} has no object_attributes, so {named} never matches; look into event.data instead"
        return
    action = attributes.get("action")
    if event in ACTIONS and isinstance(action, str) and action not in ACTIONS[event]:
        near = difflib.get_close_matches(action, ACTIONS[event], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield f"{event} has no action {action!r} but {', '.join(sorted(ACTIONS[event]))}{hint}"


def source_faults(handler: Callable[..., Any]) -> Iterator[str]:
    """Yield what a coroutine function does that it should not, as far as its source shows it."""
    function = _function(handler)
    if not inspect.iscoroutinefunction(function):
        return
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return  # without a source, or one that is no statement by itself
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, ast.AsyncFunctionDef):
        return
    names = [each.arg for each in definition.args.posonlyargs + definition.args.args]
    client = names[1] if len(names) > 1 else "gl"
    ast.increment_lineno(definition, first - 1)
    yield from _of_body(definition, client, _aliases(function))


def _of_body(definition: ast.AsyncFunctionDef, client: str, aliases: Mapping[str, str]) -> Iterator[str]:
    alone = {node.value for node in _own_nodes(definition) if isinstance(node, ast.Expr)}
    for node in _own_nodes(definition):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func, aliases)
        owner, _, method = name.rpartition(".")
        if name in _BLOCKING:
            yield f"{name} (line {node.lineno}) blocks the event loop; await instead, or write a plain def"
        elif node in alone and ((owner == client and method in _CLIENT) or name in _AWAITED):
            yield f"{name} (line {node.lineno}) is not awaited, so it does nothing"


def _own_nodes(definition: ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body without those of functions in it."""
    waiting: list[ast.AST] = [*definition.body]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def _name(node: ast.AST, aliases: Mapping[str, str]) -> str:
    """Return ``time.sleep`` for a call of that, whatever it was imported as."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([aliases.get(node.id, node.id), *reversed(parts)])


def _aliases(function: Callable[..., Any]) -> dict[str, str]:
    """Return what the names in a function's module stand for: modules, and functions of modules."""
    found = {}
    for name, value in getattr(function, "__globals__", {}).items():
        if inspect.ismodule(value):
            found[name] = value.__name__
        elif inspect.isfunction(value) or inspect.isbuiltin(value):
            found[name] = f"{value.__module__}.{value.__name__}"
    return found


def _function(handler: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(handler, functools.partial):
        handler = handler.func
    unwrapped: Callable[..., Any] = inspect.unwrap(handler)
    return unwrapped
