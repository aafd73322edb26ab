"""Starting our own processes: the command line and the environment they get."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hookyard.settings.settings import Settings

_SAFE_PATH: Final = "-P"
"""Keeps the current directory off ``sys.path``: a user's own ``worker.py`` there does not replace ours."""


def child_environment(overrides: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with *overrides*, and with those *defaults* that it leaves unset.

    A secret that either holds is dropped where our environment names a file for it.
    """
    ours = dict(os.environ)
    missing = {name: value for name, value in defaults.items() if not ours.get(name)}
    for name in (*missing, *overrides):
        ours.pop(f"{name}_FILE", None)
        if name == "REDIS_URL":  # which has the password in it
            ours.pop("REDIS_PASSWORD", None)
            ours.pop("REDIS_PASSWORD_FILE", None)
    return {**ours, **missing, **overrides}


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules in a process of its own."""
    return [sys.executable, _SAFE_PATH, "-m", module, *arguments]


def exec_module(module: str, *, overrides: Mapping[str, str], defaults: Mapping[str, str]) -> NoReturn:
    """Replace this process by one of our modules, so that signals, output and exit code are its own.

    :param overrides: variables for it, whatever our environment says.
    :param defaults: variables for it, where our environment leaves them unset.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    command = module_command(module)
    os.execve(command[0], command, child_environment(overrides, defaults))  # noqa: S606 - no shell is wanted


def emulator_secrets(settings: Settings) -> dict[str, str]:
    """Return the secrets with which the emulator authenticates its webhooks; no process list shows them."""
    secrets = {
        "EMULATOR_SECRET_TOKEN": settings.secret_tokens,
        "EMULATOR_SIGNING_TOKEN": settings.signing_tokens,
    }
    return {name: tokens[0].get_secret_value() for name, tokens in secrets.items() if tokens}
