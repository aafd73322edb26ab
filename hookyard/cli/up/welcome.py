"""The text that ``hookyard up`` prints once it is ready: what to try next, ready to copy. Rule: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """The values in the text. ``command`` is what to type for ``hookyard`` in this directory.

    ``emulator`` is ``None`` where ``GL_URL`` names a GitLab, which ``gitlab`` then is; ``console``
    is ``None`` where that is not installed.
    """

    command: str
    ingress: str
    emulator: str | None
    console: str | None
    gitlab: str
    handlers: str
    redis: str
    authentication: Literal["given", "made-up", "none"]


def text(welcome: Welcome) -> str:
    """Return the text."""
    command, made_up = welcome.command, welcome.authentication == "made-up"
    lines = ["", "  Hookyard is up. Ctrl-C stops it and keeps accepted deliveries.", ""]
    lines += [
        f"    ingress    {welcome.ingress}/",
        f"    GitLab     {welcome.emulator}  (emulated: GL_URL is not set)"
        if welcome.emulator
        else f"    GitLab     {welcome.gitlab}",
        f"    handlers   {welcome.handlers}",
        f"    Redis      {welcome.redis}",
        *(["    secret     made up, in .hookyard/secret  (GL_SECRET is not set)"] if made_up else []),
        "",
        *(
            ["  See and replay in a browser (this link signs in once):", f"    {welcome.console}", ""]
            if welcome.console
            else []
        ),
        "  Try next, in a second terminal in this directory"
        + (" with the same GL_SECRET or GL_SIGNING_TOKEN:" if welcome.authentication == "given" else ":"),
        "",
    ]
    commands = [(f"{command} send issue-open", "send a sample webhook")]
    if welcome.emulator:
        commands.append((f"{command} api GET /projects/1/issues/1/notes", "see what the bot replied"))
    else:
        commands.append((f"{command} check", "check GitLab and the token"))
    commands += [
        (f"{command} deliveries", "list deliveries"),
        (f"{command} show ID", "see what happened to one"),
    ]
    width = max(len(typed) for typed, _ in commands)
    lines += [f"    {typed:<{width}}   {why}" for typed, why in commands]
    if welcome.emulator:
        lines += ["", f"  See what the bot did in a browser: {welcome.emulator}/"]
    lines += [
        "",
        f"  Your own handlers:  HOOKYARD_HANDLERS=mybot:router {command} up",
        f"  Your own GitLab:    GL_URL=… GL_ACCESS_TOKEN=… GL_SIGNING_TOKEN=… {command} up",
        "                      and, in GitLab, a webhook with the ingress's address",
        "",
    ]
    return "\n".join(lines)
