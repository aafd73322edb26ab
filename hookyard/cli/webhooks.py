"""The command ``hooks``: the webhooks in GitLab that call this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hookyard.cli.gitlab_side import (
    GitLabSide,
    SourceOption,
    WatchArgument,
    ask,
    tell_unreadable,
    wanted_events,
)
from hookyard.cli.output import tables
from hookyard.cli.output.terminal import EXIT_FAILED, JsonOption, show, show_json, stop
from hookyard.gitlab import hooks as gitlab_hooks

if TYPE_CHECKING:
    from hookyard.gitlab.client import DeliveryGitLabAPI
    from hookyard.gitlab.hooks import Found, Hook


def hooks(
    paths: WatchArgument = None,
    *,
    enable: Annotated[
        bool, typer.Option("--enable", help="Have GitLab test those that are disabled, which enables them.")
    ] = False,
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the webhooks in GitLab that call us, and their faults.

    Needs GL_ACCESS_TOKEN with the role Maintainer in projects, Owner in groups.
    """
    wanted = wanted_events()
    given = GitLabSide.read(paths, source)

    async def look(gl: DeliveryGitLabAPI) -> tuple[Found, dict[int, str]]:
        found = await gitlab_hooks.find(gl, given.paths, url=given.url, wanted=wanted)
        answers = {}
        if enable:
            trigger = gitlab_hooks.trigger_for(wanted)
            if trigger is None:
                stop("every event that GitLab can test has a handler, which would run on the test")
            for hook in found.hooks:
                if hook.status is not gitlab_hooks.Status.EXECUTABLE:
                    answers[hook.id] = await gitlab_hooks.enable(gl, hook, trigger)
        return found, answers

    found, answers = ask(given.settings, look)
    tell_unreadable(found)
    if as_json:
        show_json({"hooks": [{**_document(hook), "enabling": answers.get(hook.id)} for hook in found.hooks]})
    elif found.hooks:
        show(tables.hooks([_row(hook, answers.get(hook.id)) for hook in found.hooks]))
    else:
        show(f"No webhook of {', '.join(given.paths)} calls {given.url}.")
    is_well = all(hook.status is gitlab_hooks.Status.EXECUTABLE for hook in found.hooks)
    raise typer.Exit(0 if is_well and found.hooks and not found.unreadable else EXIT_FAILED)


def _row(hook: Hook, answer: str | None) -> tuple[str, str, str]:
    notes = [answer] if answer else []
    if hook.disabled_until and hook.status is gitlab_hooks.Status.TEMPORARILY_DISABLED:
        notes.append(f"until {hook.disabled_until}")
    if hook.has_secret is False:
        notes.append("no secret")
    if not hook.verifies_tls:
        notes.append("does not verify TLS")
    if hook.missing:
        notes.append(f"does not send {', '.join(hook.missing)}")
    if hook.needless:
        notes.append(f"sends what no handler wants: {', '.join(hook.needless)}")
    return f"{hook.name} #{hook.id}", hook.status.value, "; ".join(notes)


def _document(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "place": hook.place,
        "name": hook.name,
        "url": hook.url,
        "status": hook.status.value,
        "disabled_until": hook.disabled_until,
        "has_secret": hook.has_secret,
        "verifies_tls": hook.verifies_tls,
        "missing_events": list(hook.missing),
        "needless_events": list(hook.needless),
    }
