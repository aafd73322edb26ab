"""Where a secret comes from: its variable, or the file that ``<variable>_FILE`` names; never an example's.

Files are how docker-compose, Kubernetes and systemd hand secrets over: an environment is inherited by
every child, and shown by ``docker inspect``. Rule: no text here holds a word of a secret.
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

ENDING: Final = "_FILE"
_MOST_BYTES: Final = 64 * 1024

_WHY: Final[dict[type[Exception], str]] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a directory, not a file",  # what Docker mounts where the file is missing
    PermissionError: "this process may not read it",
    UnicodeDecodeError: "it is no text",
}
_EXAMPLE: Final = re.compile(
    r"(?i)(^|[\s,:/])(change|replace)[-_ ]?(me|this)"  # .env.example, deploy/new-secrets
    r"|^<.*>$"
    r"|\bglpat-(x{3,}|\.{3})"  # GitLab's manual
    r"|…"  # README
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unusable:
    """Stands where a secret would if its file could be read; ``why`` begins with the variable's name."""

    why: str


def is_example(secret: str) -> bool:
    """Return whether *secret* is one that an example holds the place of the real one with."""
    return _EXAMPLE.search(secret) is not None


class SecretFiles(PydanticBaseSettingsSource):
    """The values of those *variables* whose file is named; an :class:`Unusable` where it is no good.

    It goes before the environment, so that a secret that is given in both ways is told, not chosen.
    """

    def __init__(
        self, settings: type[BaseSettings], *, variables: Collection[str], environment: Mapping[str, str]
    ) -> None:
        super().__init__(settings)
        self._variables = variables
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Give nothing: values go by variables here, not by fields."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Read the files."""
        named = {name: self._environment.get(name + ENDING, "") for name in self._variables}
        return {name: self._value(name, path) for name, path in named.items() if path}

    def _value(self, name: str, path: str) -> str | Unusable:
        if self._environment.get(name):
            return Unusable(why=f"{name}{ENDING} and {name} are both set: unset one of them")
        value = read_secret(Path(path))
        return Unusable(why=f"{name}{ENDING}={path}: {value.why}") if isinstance(value, Unusable) else value


def read_secret(path: Path) -> str | Unusable:
    """Return the one line in the file at *path*, without its end."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        value = content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as exc:
        return Unusable(why=_WHY.get(type(exc), f"it cannot be read ({type(exc).__name__})"))
    if not value.strip():
        return Unusable(why="it is empty")
    if len(content) > _MOST_BYTES or not value.isprintable():
        return Unusable(why="it must hold the secret on one line and nothing else")
    return value
