"""Write the files of a new bot from the templates beside this module."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

from hookyard.cli.output.terminal import EXIT_USAGE, show, stop

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FILES: Final = {
    "bot.py": "{module}.py",
    "test_bot.py": "test_{module}.py",
    "pyproject.toml": "pyproject.toml",
    "Makefile": "Makefile",
    "Dockerfile": "Dockerfile",
    "docker-compose.yml": "docker-compose.yml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
}
_TAKEN: Final = frozenset(
    {"hookyard", "ingress", "worker", "pytest_hookyard", "gidgetlab", "gitlab_emulator"}
)


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, such as mybot; a folder is made.")],
) -> None:
    """Make a new bot: a handler, a test, and what runs them.

    Nothing that exists is written over.
    """
    module = name.replace("-", "_").lower()
    if not _NAME.fullmatch(name) or keyword.iskeyword(module):
        stop(f"{name}: letters, digits, - and _, beginning with a letter", EXIT_USAGE)
    if module in _TAKEN:
        stop(f"{name}: a package that the bot needs has this name; choose another", EXIT_USAGE)
    folder = Path(name)
    if folder.exists():
        stop(f"{folder} exists already; choose another name, or remove it")
    try:
        folder.mkdir()
        for template, target in _FILES.items():
            path = folder / target.format(module=module)
            path.write_text(_filled(template, name=name, module=module), encoding="utf-8")
    except OSError as exc:
        stop(f"{folder} could not be written: {exc}")
    show(f"{folder}/ holds a bot with one handler and its tests. Next:\n")
    show(f"  cd {folder}\n  make test\n  make up")


def _filled(template: str, **values: str) -> str:
    source = resources.files("hookyard.cli.new").joinpath("template", f"{template}.txt")
    return Template(source.read_text(encoding="utf-8")).substitute(values)
