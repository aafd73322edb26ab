"""``hookyard new``: a bot whose tests pass as they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.hookyard.cli.conftest import process_environment


def run(directory, *command):
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=directory,
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_tests_pass_and_its_handlers_are_found(tmp_path):
    made = run(tmp_path, "hookyard.cli.main", "new", "my-bot")
    assert made.returncode == 0, made.stderr
    assert "make test" in made.stdout
    folder = tmp_path / "my-bot"
    assert {path.name for path in folder.iterdir()} == {
        *("my_bot.py", "test_my_bot.py", "pyproject.toml", "Makefile", "Dockerfile"),
        *("docker-compose.yml", "README.md", ".gitignore"),
    }
    tested = run(folder, "pytest", "-q", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("../elsewhere", "letters, digits"),
        ("class", "letters, digits"),
        ("worker", "choose another"),
        ("there", "exists already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(tmp_path, name, text):
    (tmp_path / "there").mkdir()
    made = run(tmp_path, "hookyard.cli.main", "new", name)
    assert made.returncode != 0
    assert text in made.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
