"""What ``hookyard up`` prints once everything answers: what to try next, ready to be copied. Rule: pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What the text depends on. ``command`` is what one types for ``hookyard`` in this directory.

    ``emulator`` is ``None`` where ``GL_URL`` names a GitLab, and then ``gitlab`` is that.
    """

    command: str
    ingress: str
    emulator: str | None
    gitlab: str
    handlers: str
    redis: str
    has_secret: bool


def text(welcome: Welcome) -> str:
    """Return the text."""
    command = welcome.command
    lines = ["", "  Hookyard is up. Ctrl-C stops it; what was accepted is kept.", ""]
    lines += [
        f"    ingress    {welcome.ingress}/",
        f"    GitLab     {welcome.emulator}  (a stand-in: GL_URL is not set)"
        if welcome.emulator
        else f"    GitLab     {welcome.gitlab}",
        f"    handlers   {welcome.handlers}",
        f"    Redis      {welcome.redis}",
        "",
        "  Try next, in a second terminal in this directory"
        + (" with the same GL_SECRET or GL_SIGNING_TOKEN:" if welcome.has_secret else ":"),
        "",
    ]
    commands = [(f"{command} send issue-open", "send a sample webhook")]
    if welcome.emulator:
        commands.append((f"{command} api GET /projects/1/issues/1/notes", "see the bot's answer"))
    else:
        commands.append((f"{command} check", "see that GitLab and the token are right"))
    commands += [
        (f"{command} deliveries", "see what came in"),
        (f"{command} show ID", "see what became of one"),
    ]
    width = max(len(typed) for typed, _ in commands)
    lines += [f"    {typed:<{width}}   {why}" for typed, why in commands]
    if welcome.emulator:
        lines += ["", f"  What the bot did, in a browser:  {welcome.emulator}/"]
    lines += [
        "",
        f"  Your own handlers:  HOOKYARD_HANDLERS=mybot:router {command} up",
        f"  Your own GitLab:    GL_URL=… GL_ACCESS_TOKEN=… GL_SIGNING_TOKEN=… {command} up",
        "                      and there a webhook with the ingress's address as its URL",
        "",
    ]
    return "\n".join(lines)
