"""What a process that we start gets from our environment."""

from __future__ import annotations

from hookyard.cli.launch import child_environment


def test_a_secret_that_is_handed_on_is_not_given_a_second_time_by_its_file(monkeypatch):
    monkeypatch.setenv("REDIS_URL_FILE", "/run/secrets/redis_url")
    monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", "/run/secrets/redis_password")
    monkeypatch.setenv("GL_SECRET_FILE", "/run/secrets/gl_secret")
    found = child_environment({"REDIS_URL": "redis://:hunter2@redis"}, {})
    ours = {name: value for name, value in found.items() if name.startswith(("REDIS_", "GL_"))}
    assert ours == {"REDIS_URL": "redis://:hunter2@redis", "GL_SECRET_FILE": "/run/secrets/gl_secret"}


def test_a_default_does_not_hide_what_is_set(monkeypatch):
    monkeypatch.setenv("HOOKYARD_LOG_FORMAT", "json")
    assert child_environment({}, {"HOOKYARD_LOG_FORMAT": "console"})["HOOKYARD_LOG_FORMAT"] == "json"
