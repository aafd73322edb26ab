"""What the commands about GitLab's side share: which webhooks, whose, and with which client."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hookyard.cli.context import context_or_exit
from hookyard.cli.output.terminal import EXIT_FAILED, EXIT_USAGE, print_note, stop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hookyard.cli.context import CliContext
    from hookyard.gitlab.client import DeliveryGitLabAPI
    from hookyard.gitlab.hooks import Found
    from hookyard.settings.settings import Settings

Answer = TypeVar("Answer")

SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Which of HOOKYARD_SOURCES; else the first.")
]
WatchArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help="Groups and projects, such as group or group/app.",
        show_default="HOOKYARD_WATCH",
    ),
]


class GitLabSide:
    """What is to be looked at, and with which GitLab."""

    def __init__(self, settings: Settings, source: str, paths: tuple[str, ...], url: str) -> None:
        self.settings = settings
        self.source = source
        self.paths = paths
        self.url = url

    @classmethod
    def read(cls, paths: list[str] | None, source: str | None) -> GitLabSide:
        """Return it; what is missing ends the command with exit code 2."""
        context = context_or_exit()
        settings = context.settings
        name = source or next(iter(settings.by_source))
        if name not in settings.by_source:
            stop(f"--source {name}: there are {', '.join(settings.by_source)}", EXIT_USAGE)
        watched = tuple(paths or settings.watch)
        if not watched:
            stop("say which groups or projects, or set HOOKYARD_WATCH=group,group/app", EXIT_USAGE)
        url = settings.public_url or _ingress(context)
        if not url:
            stop("set HOOKYARD_PUBLIC_URL to the address of the ingress as GitLab calls it", EXIT_USAGE)
        return cls(settings.by_source[name], name, watched, url)


def _ingress(context: CliContext) -> str:
    return context.stack.addresses["ingress"] if context.stack is not None else ""


def ask(settings: Settings, work: Callable[[DeliveryGitLabAPI], Awaitable[Answer]]) -> Answer:
    """Return what *work* finds out from GitLab; an error ends the command with a line."""
    import httpx
    from gidgetlab.exceptions import GitLabException

    from hookyard import GiveUp
    from hookyard.gitlab.client import DeliveryGitLabAPI, open_client
    from hookyard.gitlab.errors import why_it_failed

    async def run() -> Answer:
        async with open_client(settings) as client:
            return await work(DeliveryGitLabAPI(client, settings, event_uuid=None, clock=time.time))

    try:
        return asyncio.run(run())
    except GiveUp as exc:
        stop(str(exc), EXIT_FAILED)
    except (GitLabException, httpx.HTTPError, ValueError, LookupError) as exc:
        stop(why_it_failed(exc, gitlab_url=settings.gitlab_url), EXIT_FAILED)


def wanted_events() -> set[str]:
    """Return the events that there are handlers for; empty where that is not known."""
    from hookyard.cli.check.command import handlers_of

    context = context_or_exit()
    return {
        event.partition(" (")[0]
        for events in handlers_of(context).values()
        for event in events
        if not event.startswith(("task:", "schedule:"))
    }


def tell_unreadable(found: Found) -> None:
    """Say which webhooks could not be read, and what that takes."""
    for text in found.unreadable:
        print_note(text)
