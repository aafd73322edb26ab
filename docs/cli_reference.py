# ruff: noqa: INP001 - Sphinx's configuration imports this file; it is no package
"""The command-line reference, generated from the command's own declarations."""

from __future__ import annotations

import inspect
import itertools
from typing import Any, Final

from typer.main import get_command

PAGE: Final = "reference/cli"
MARK: Final = "<!-- the commands -->"


def fill_in(_app: Any, page: str, source: list[str]) -> None:
    """Put the reference in the place of the mark, when Sphinx reads the page."""
    if page == PAGE:
        source[0] = source[0].replace(MARK, reference())


def reference() -> str:
    """Return Markdown for all commands, in the groups of ``hookyard --help``."""
    from hookyard.cli.main import app  # noqa: PLC0415 - the site's other pages need none of it

    groups = itertools.groupby(_commands(get_command(app)), key=lambda each: each[1].rich_help_panel)
    return "\n\n".join(
        f"## {title}\n\n" + "\n\n".join(_command(name, command) for name, command in commands)
        for title, commands in groups
    )


def _commands(group: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return the commands that are not hidden, also those of groups inside the group."""
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        if not command.hidden:
            inside = hasattr(command, "commands")
            found += _commands(command, f"{name} ") if inside else [(f"{prefix}{name}", command)]
    return found


def _command(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join(["hookyard", name, *(["[OPTIONS]"] if options else []), *map(_argument, arguments)])
    parts = [f"### hookyard {name}", _text(command.help), f"```text\n{usage}\n```"]
    if arguments:
        parts.append(_table("argument", [(f"`{_argument(each)}`", each) for each in arguments]))
    shown = [(_option(each), each) for each in options if not each.hidden]
    if shown:
        parts.append(_table("option", shown))
    examples = [line.strip() for line in (command.epilog or "").replace("\b", "").splitlines()]
    if any(examples):
        parts.append("```shell\n" + "\n".join(line for line in examples if line) + "\n```")
    return "\n\n".join(parts)


def _text(text: str | None) -> str:
    return inspect.cleandoc((text or "").replace("\b", ""))


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name.strip('[]')}]" + ("..." if argument.nargs == -1 else "")


def _option(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    takes = "" if option.is_flag else f" `{option.metavar or option.type.name.upper()}`"
    return names + takes


def _table(kind: str, rows: list[tuple[str, Any]]) -> str:
    lines = [f"| {kind} | meaning |", "|---|---|"]
    for name, parameter in rows:
        meaning = _text(parameter.help).replace("|", r"\|").replace("\n", " ")
        if parameter.show_default and parameter.default not in (None, False, (), []):
            meaning += f" Default: `{parameter.default}`."
        if getattr(parameter, "envvar", None):
            meaning += f" Environment: `{parameter.envvar}`."
        lines.append(f"| {name} | {meaning} |")
    return "\n".join(lines)
