"""The command ``api``: one GitLab REST call, as a handler would make it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from hookyard.cli.context import context_or_exit
from hookyard.cli.output.terminal import (
    EXIT_FAILED,
    EXIT_USAGE,
    console,
    show_json,
    show_json_in_colours,
    stop,
)


def api(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, HEAD, POST, PUT, PATCH or DELETE.")],
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="As in GitLab's documentation, such as /projects/1/issues.")
    ],
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="The query of a GET, else the JSON body. KEY:=JSON sends numbers, booleans and lists; "
            "a repeated key sends a list.",
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of HOOKYARD_SOURCES; else the first.")
    ] = None,
    paginate: Annotated[bool, typer.Option("--paginate", help="Follow a list to its last page.")] = False,
) -> None:
    """Make one GitLab REST call.

    Uses the client that handlers get, with GL_URL and GL_ACCESS_TOKEN.
    Prints the answer as JSON.
    """
    import httpx
    from gidgetlab.exceptions import GitLabException

    from hookyard import GiveUp
    from hookyard.cli import gitlab_call
    from hookyard.gitlab.errors import why_it_failed

    sources = context_or_exit().settings.by_source
    if source is not None and source not in sources:
        stop(f"--source {source}: there are {', '.join(sources)}", EXIT_USAGE)
    settings = sources[source] if source is not None else next(iter(sources.values()))
    try:
        call = gitlab_call.read_call(
            method, path, fields or [], paginate=paginate, gitlab_url=settings.gitlab_url
        )
        answer = asyncio.run(gitlab_call.make_call(call, settings))
    except gitlab_call.UsageError as exc:
        stop(str(exc), EXIT_USAGE)
    except GiveUp as exc:
        stop(str(exc), EXIT_FAILED)
    except (GitLabException, httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError) as exc:
        stop(why_it_failed(exc, gitlab_url=settings.gitlab_url), EXIT_FAILED)
    _print(answer)


def _print(answer: Any) -> None:
    if answer is None or answer == "":
        return
    if console().is_terminal:
        show_json_in_colours(answer)
    else:
        show_json(answer)
