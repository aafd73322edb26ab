"""Entries for those who sign in to the console."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from hookyard.cli.main import app
from hookyard.console.identities import Directory, Role, parse_entry


def run(*words, typed=None):
    return CliRunner().invoke(app, ["credentials", *words], input=typed)


def test_an_entry_signs_in_with_its_password():
    done = run("ann", "--role", "operator", "--bodies", typed="correct horse\n")
    assert done.exit_code == 0
    assert "correct horse" not in done.stdout
    entry = parse_entry(done.stdout.strip(), is_token=False)
    assert (entry.name, entry.role, entry.reads_bodies) == ("ann", Role.OPERATOR, True)
    assert Directory([entry], []).with_password("ann", "correct horse")
    assert not Directory([entry], []).with_password("ann", "wrong")


def test_a_token_is_shown_once_and_its_hash_is_the_entry():
    done = run("ci", "--token")
    entry = parse_entry(done.stdout.strip(), is_token=True)
    token = re.search(r"hyc_\S+", done.stderr)[0]
    assert token not in done.stdout
    assert Directory([], [entry]).with_token(token).role is Role.VIEWER


def test_what_cannot_be_an_entry_is_refused():
    assert run("a b", "--token").exit_code == 2
    assert "the roles are viewer, operator, admin" in run("a", "--role", "boss", "--token").stderr
    assert "at least 8 characters" in run("a", typed="short\n").stderr
