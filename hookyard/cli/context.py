"""The settings of a command, completed from the ``hookyard up`` that runs in the current directory.

The environment wins; what it leaves unset comes from the running stack, so that a second terminal needs
no environment.
"""

from __future__ import annotations

from dataclasses import dataclass

from hookyard.cli.output.terminal import EXIT_USAGE, stop
from hookyard.cli.up.directory import RunningStack, UpDirectory
from hookyard.settings.settings import Settings, SettingsError, load, variable


@dataclass(frozen=True, kw_only=True)
class CliContext:
    """The settings of a command, and the running stack that completed them, if there is one.

    ``given`` holds the variables that the environment or the command line sets.
    """

    settings: Settings
    stack: RunningStack | None
    given: frozenset[str]

    @property
    def inherited(self) -> dict[str, str]:
        """The variables that come from the running stack."""
        environment = self.stack.environment if self.stack else {}
        return {name: value for name, value in environment.items() if name not in self.given}


def resolve_context(**given: object) -> CliContext:
    """Return the context of a command.

    :param given: settings from the command line, by environment variable.
    :raises SettingsError: naming every fault.
    """
    settings = load(**given)
    context = CliContext(
        settings=settings,
        stack=UpDirectory().running(),
        given=frozenset(variable(field) for field in settings.model_fields_set),
    )
    if not context.inherited:
        return context
    completed = load(**{**context.inherited, **given})
    return CliContext(settings=completed, stack=context.stack, given=context.given)


def context_or_exit(**given: object) -> CliContext:
    """Return the context; settings that cannot be used end the command with exit code 2."""
    try:
        return resolve_context(**given)
    except SettingsError as exc:
        stop(str(exc), EXIT_USAGE)
