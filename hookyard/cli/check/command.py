"""The command ``check``: look at everything an installation needs, and say what to do about it.

The spool is the ingress's, and loading handlers runs the bot's code, so a process of its own looks at each.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from hookyard.cli.check import live_rules, rules
from hookyard.cli.check.finding import Finding, Level, fault
from hookyard.cli.check.redis_probe import redis_findings
from hookyard.cli.context import CliContext, resolve_context
from hookyard.cli.launch import child_environment, module_command
from hookyard.cli.output.terminal import EXIT_FAILED, EXIT_USAGE, JsonOption, show, show_json
from hookyard.cli.output.text import one_line
from hookyard.settings.settings import SettingsError, ingress_faults, worker_faults
from hookyard.settings.unknown import unknown_variables

if TYPE_CHECKING:
    from hookyard.settings.settings import Settings

_PROBE_S: Final = 90.0
_STYLES: Final = {Level.OK: "green", Level.RISK: "yellow", Level.FAULT: "bold red"}


def check(as_json: JsonOption = False) -> None:
    """Check settings, Redis, handlers and GitLab.

    Reports each as ok, risk or fault, and says what to do.

    Exit code 2 when settings cannot be used or HOOKYARD_HANDLERS is missing,
    1 with any other fault, else 0.
    """
    try:
        context = resolve_context()
    except SettingsError as exc:
        _print([fault("settings", text) for text in exc.faults], as_json=as_json)
        raise typer.Exit(EXIT_USAGE) from None
    found = rules.of_settings(
        context.settings,
        given=len(context.given),
        unknown=unknown_variables(),
        ingress_faults=ingress_faults(context.settings),
    )
    found += asyncio.run(redis_findings(context))
    found += _spool_findings(context)
    found += _handlers_findings(context)
    found += _gitlab_findings(context)
    _print(found, as_json=as_json)
    if worker_faults(context.settings):
        raise typer.Exit(EXIT_USAGE)
    if any(one.level is Level.FAULT for one in found):
        raise typer.Exit(EXIT_FAILED)


def _spool_findings(context: CliContext) -> list[Finding]:
    report = _report(context, "ingress.diagnostics")
    if isinstance(report, str):
        return [fault("spool", f"it could not be checked{report}")]
    return live_rules.of_spool(report)


def _handlers_findings(context: CliContext) -> list[Finding]:
    if missing := worker_faults(context.settings):
        return rules.of_missing_handlers(missing)
    report = _report(context, "hookyard.cli.check.handlers_probe")
    if isinstance(report, str):
        return [fault("handlers", f"they could not be checked{report}")]
    return rules.of_handlers(
        report, gitlab_url=None if _has_emulator(context) else context.settings.gitlab_url
    )


def handlers_of(context: CliContext) -> dict[str, list[str]]:
    """Return each handler of the bot with its events; none where it cannot be loaded."""
    if worker_faults(context.settings):
        return {}
    report = _report(context, "hookyard.cli.check.handlers_probe")
    handlers: dict[str, list[str]] = {} if isinstance(report, str) else report["handlers"]
    return handlers


def _gitlab_findings(context: CliContext) -> list[Finding]:
    from hookyard.cli.check.gitlab_probe import look_at_gitlab

    return [
        finding
        for settings in context.settings.by_source.values()
        for finding in _findings_of(context, settings, asyncio.run(look_at_gitlab(settings)))
    ]


def _findings_of(context: CliContext, settings: Settings, report: dict[str, Any]) -> list[Finding]:
    is_emulator = _has_emulator(context)
    return [
        *rules.of_gitlab(report, today=datetime.now(UTC).date(), is_emulator=is_emulator),
        *live_rules.of_gitlab_clock(
            report, tolerance_s=settings.signature_tolerance_s, signed=bool(settings.signing_tokens)
        ),
    ]


def _has_emulator(context: CliContext) -> bool:
    return (
        context.stack is not None and "emulator" in context.stack.addresses and "GL_URL" not in context.given
    )


def _report(context: CliContext, module: str) -> dict[str, Any] | str:
    """Return the JSON that the process *module* prints, or why there is none."""
    try:
        done = subprocess.run(
            module_command(module),
            env=child_environment({}, context.inherited),
            capture_output=True,
            text=True,
            timeout=_PROBE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f" within {_PROBE_S:g} s"
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return f": {done.stderr.strip() or f'the process ended with exit code {done.returncode}'}"
    return report


def _print(found: list[Finding], *, as_json: bool) -> None:
    if as_json:
        show_json({"findings": [{**asdict(one), "level": one.level.value} for one in found]})
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found:
        text = Text(one_line(one.text))
        if one.todo:
            text.append(f"\n→ {one_line(one.todo)}")
        table.add_row(Text(one.level.value, style=_STYLES[one.level]), one.about, text)
    show(table)
