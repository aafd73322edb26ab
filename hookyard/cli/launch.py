"""The environment that a process gets which we start, and under which name one calls ``hookyard``."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hookyard.settings.settings import Settings

_OFF_PATH: Final = "-P"
"""Keeps the current directory off ``sys.path``: a user's own ``worker.py`` there is not ours."""


def child_environment(added: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with *added*, and with those *defaults* that are not set in it.

    A secret that is among either is not given a second time, by the file that our environment names.
    """
    ours = dict(os.environ)
    missing = {name: value for name, value in defaults.items() if not ours.get(name)}
    for name in (*missing, *added):
        ours.pop(f"{name}_FILE", None)
        if name == "REDIS_URL":  # which has the password in it
            ours.pop("REDIS_PASSWORD", None)
            ours.pop("REDIS_PASSWORD_FILE", None)
    return {**ours, **missing, **added}


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our packages in a process of its own."""
    return [sys.executable, _OFF_PATH, "-m", module, *arguments]


def exec_module(module: str, *arguments: str, environment: Mapping[str, str]) -> NoReturn:
    """Turn this process into another of ours, so that signals, output and exit code are its own.

    :param environment: what it gets besides ours, where ours does not have it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    command = module_command(module, *arguments)
    os.execve(command[0], command, child_environment({}, environment))  # noqa: S606 - no shell is wanted


def emulator_secrets(settings: Settings) -> dict[str, str]:
    """Return what vouches for a webhook here, as the emulator reads it: in no process list."""
    secrets = {
        "EMULATOR_SECRET_TOKEN": settings.secret_tokens,
        "EMULATOR_SIGNING_TOKEN": settings.signing_tokens,
    }
    return {name: tokens[0].get_secret_value() for name, tokens in secrets.items() if tokens}


def command_name() -> str:
    """Return what to type for ``hookyard`` in this directory: that, or the path of the command."""
    script = Path(sys.argv[0])
    if script.name != "hookyard":
        script = Path(sys.executable).parent / "hookyard"
    found = shutil.which("hookyard")
    if found and Path(found).resolve() == script.resolve():
        return "hookyard"
    absolute = script.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def wants_colour() -> bool:
    """Return whether colours are welcome as far as the environment says (no-color.org)."""
    return not os.environ.get("NO_COLOR")
