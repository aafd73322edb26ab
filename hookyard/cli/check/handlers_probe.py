"""A look at the bot for ``hookyard check``: whether its handlers load, and which events they are for.

Loading runs the bot's code, so ``check`` runs this module as a process, which prints JSON. Only reports;
:mod:`hookyard.cli.check.rules` judges.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from gidgetlab.routing import Router

from hookyard import handler_name
from hookyard.host.lint import registration_faults, source_faults
from hookyard.host.load import HandlersError, load_router
from hookyard.host.registry import Registry
from hookyard.settings.settings import load_or_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class _RegistrationReader(Router):
    """A copy of a router that lists its registrations: gidgetlab's constructor adds each of them here."""

    def __init__(self, router: Router) -> None:
        self.found: dict[str, list[str]] = {}
        self.warnings: dict[str, list[str]] = {}
        super().__init__(router)

    def add(self, func: Callable[..., Any], event_type: str, **object_attribute: Hashable) -> None:
        """Record a registration."""
        conditions = "".join(f" ({key}={value})" for key, value in object_attribute.items())
        name = handler_name(func)
        if name not in self.found:
            self.warnings[name] = list(source_faults(func))
        self.found.setdefault(name, []).append(f"{event_type}{conditions}")
        self.warnings[name] += registration_faults(event_type, object_attribute)


def handlers_report(import_string: str) -> dict[str, Any]:
    """Return each handler and the events it is for, or ``error``."""
    try:
        with redirect_stdout(sys.stderr):  # a bot may print while it is imported
            router = load_router(import_string)
    except HandlersError as exc:
        return {"import_string": import_string, "error": str(exc), "handlers": {}, "warnings": {}}
    faults = Registry(router).faults()
    read = _RegistrationReader(router)
    return {
        "import_string": import_string,
        "error": "; ".join(faults) or None,
        "handlers": read.found,
        "warnings": {name: found for name, found in read.warnings.items() if found},
    }


def main() -> int:
    """Print the report as one JSON object and return the exit code."""
    report = handlers_report(load_or_exit().handlers)
    json.dump(report, sys.stdout)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
