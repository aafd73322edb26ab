"""Secrets from files: the file that ``<variable>_FILE`` names, instead of the variable itself.

docker-compose, Kubernetes and systemd hand secrets over as files, because an environment is inherited by
every child process and shown by ``docker inspect``. Rule: no message here contains any part of a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic.fields import FieldInfo

SUFFIX: Final = "_FILE"
_MAX_BYTES: Final = 64 * 1024

_REASONS: Final[dict[type[Exception], str]] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a directory, not a file",  # what Docker mounts where the file is missing
    PermissionError: "this process may not read it; check its owner and mode",
    UnicodeDecodeError: "it is not UTF-8 text",
}
_PLACEHOLDER: Final = re.compile(
    r"(?i)(^|[\s,:/])(change|replace)[-_ ]?(me|this)"  # .env.example, deploy/new-secrets
    r"|^<.*>$"
    r"|\bglpat-(x{3,}|\.{3})"  # GitLab's manual
    r"|…"  # README
)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnusableSecret:
    """The place of a secret whose file cannot be used; ``why`` begins with the variable's name."""

    why: str


def is_placeholder(secret: str) -> bool:
    """Return whether *secret* is a placeholder from an example."""
    return _PLACEHOLDER.search(secret) is not None


class SecretFiles(PydanticBaseSettingsSource):
    """The values of those *variables* whose file is named; an :class:`UnusableSecret` for a bad file.

    It takes precedence over the environment, so that a secret set in both ways is reported.
    """

    def __init__(
        self, settings: type[BaseSettings], *, variables: Collection[str], environment: Mapping[str, str]
    ) -> None:
        super().__init__(settings)
        self._variables = variables
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return no value: values are found by variable here, not by field."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values, by variable."""
        named = {name: self._environment.get(name + SUFFIX, "") for name in self._variables}
        return {name: self._value(name, path) for name, path in named.items() if path}

    def _value(self, name: str, path: str) -> str | UnusableSecret:
        if self._environment.get(name):
            return UnusableSecret(why=f"{name}{SUFFIX} and {name} are both set: unset one of them")
        value = read_secret(Path(path))
        return (
            UnusableSecret(why=f"{name}{SUFFIX}={path}: {value.why}")
            if isinstance(value, UnusableSecret)
            else value
        )


def read_secret(path: Path) -> str | UnusableSecret:
    """Return the only line of the file at *path*, without its line end."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        value = content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as exc:
        return UnusableSecret(why=_REASONS.get(type(exc), f"it cannot be read ({type(exc).__name__})"))
    if not value.strip():
        return UnusableSecret(why="it is empty")
    if len(content) > _MAX_BYTES or not value.isprintable():
        return UnusableSecret(why="it must contain the secret on one line and nothing else")
    return value
