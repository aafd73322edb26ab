"""The commands of the console: run it, and make the entries with which people and programs sign in."""

from __future__ import annotations

import getpass
import sys
from importlib.util import find_spec
from typing import Annotated, Final

import typer

from hookyard.cli.output.terminal import EXIT_USAGE, print_note, show, stop
from hookyard.cli.serve import LogFormatOption, LogLevelOption, setting_option, start_process

IS_INSTALLED: Final = all(find_spec(name) for name in ("fastapi", "jinja2", "argon2", "itsdangerous"))
NEEDED: Final = "The console's packages are not installed: pip install 'hookyard[console]'."
_LONG_ENOUGH: Final = 8


def console(
    *,
    host: Annotated[str | None, setting_option("host", "HOST", "Address to listen on.")] = None,
    console_port: Annotated[
        str | None, setting_option("console_port", "PORT", "Port to listen on.", name="--port")
    ] = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Run a console: pages and an API for operators.

    Nobody can sign in before HOOKYARD_CONSOLE_USERS or HOOKYARD_CONSOLE_TOKENS name somebody.
    """
    if not IS_INSTALLED:
        stop(NEEDED, EXIT_USAGE)
    start_process(
        "hookyard.console",
        inherit=("REDIS_URL", "HOOKYARD_PREFIX"),
        host=host,
        console_port=console_port,
        log_level=log_level,
        log_format=log_format,
    )


def credentials(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the person or the program.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="viewer, operator or admin.")] = "viewer",
    bodies: Annotated[
        bool, typer.Option("--bodies", help="May read bodies as they were received, not redacted.")
    ] = False,
    token: Annotated[
        bool, typer.Option("--token", help="For a program: make a token, ask for no password.")
    ] = False,
) -> None:
    """Make an entry that signs in to the console.

    It is for HOOKYARD_CONSOLE_USERS or, with --token, for HOOKYARD_CONSOLE_TOKENS,
    and holds a hash alone. The password is asked for, or read from a pipe; a new token is
    shown once, on standard error.
    """
    if not IS_INSTALLED:
        stop(NEEDED, EXIT_USAGE)
    from hookyard.console.identities import entry_text, hash_password, make_token, parse_entry

    secret, hashed = make_token() if token else ("", hash_password(_password()))
    entry = entry_text(name, role + ("+bodies" if bodies else ""), hashed)
    try:
        parse_entry(entry, is_token=token)
    except ValueError as exc:
        stop(f"This {exc}.", EXIT_USAGE)
    show(entry)
    if token:
        print_note(f"The token, which is shown this once: {secret}")


def _password() -> str:
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            stop("The two passwords differ.", EXIT_USAGE)
    if len(password) < _LONG_ENOUGH:
        stop(f"A password has at least {_LONG_ENOUGH} characters.", EXIT_USAGE)
    return password
