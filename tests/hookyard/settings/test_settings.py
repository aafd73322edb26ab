"""Settings: what each must satisfy, and that every fault is named at once and no secret ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookyard.settings.settings import (
    Settings,
    SettingsError,
    decode_signing_token,
    ingress_faults,
    load,
    load_or_exit,
    variable,
)
from hookyard.settings.unknown import unknown_variables

TOKEN = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

BAD = [
    ("REDIS_URL", "http://redis"),
    ("REDIS_URL", "redis://redis:port"),
    ("REDIS_URL", "redis+sentinel://a:1"),
    ("HOOKYARD_PREFIX", "a b"),
    ("HOOKYARD_PREFIX", "x" * 65),
    ("HOOKYARD_PREFIX", "a:b"),
    ("HOOKYARD_REDIS_TIMEOUT_S", "0"),
    ("HOOKYARD_REDIS_TIMEOUT_S", "5.1"),
    ("HOOKYARD_REDIS_TIMEOUT_S", "nan"),
    ("HOOKYARD_REDIS_TIMEOUT_S", "1s"),
    ("HOOKYARD_MIN_REPLICAS", "-1"),
    ("GL_SIGNING_TOKEN", "hunter2"),
    ("GL_SIGNING_TOKEN", f"{TOKEN},whsec_hunter2"),
    ("HOOKYARD_SIGNATURE_TOLERANCE_S", "0"),
    ("HOOKYARD_SIGNATURE_TOLERANCE_S", "1.5"),
    ("HOOKYARD_ALLOW_UNAUTHENTICATED", "perhaps"),
    ("GL_URL", "gitlab.example.com"),
    ("GL_URL", "ftp://gitlab.example.com"),
    ("GL_URL", "https://"),
    ("GL_URL", "https://[::1"),
    ("HOOKYARD_GITLAB_TIMEOUT_S", "0"),
    ("HOOKYARD_GITLAB_CONNECTIONS", "0"),
    ("HOOKYARD_GITLAB_WAIT_S", "-1"),
    ("HOOKYARD_PORT", "-1"),
    ("HOOKYARD_PORT", "65536"),
    ("HOOKYARD_PORT", "http"),
    ("HOOKYARD_MAX_BODY_BYTES", "0"),
    ("HOOKYARD_MAX_BODY_BYTES", "25MB"),
    ("HOOKYARD_SPOOL_MAX_BYTES", "1"),
    ("HOOKYARD_MAX_HELD_BYTES", "1"),
    ("HOOKYARD_SHUTDOWN_DELAY_S", "-1"),
    ("HOOKYARD_HANDLERS", "my bot"),
    ("HOOKYARD_HANDLERS", "handlers:"),
    ("HOOKYARD_HANDLERS", ":router"),
    ("HOOKYARD_HANDLERS", "my-bot:router"),
    ("HOOKYARD_HANDLERS", "bot/handlers.py:router"),
    ("HOOKYARD_SLOTS", "0"),
    ("HOOKYARD_SLOTS", "10001"),
    ("HOOKYARD_LEASE_S", "0.5"),
    ("HOOKYARD_LEASE_S", "inf"),
    ("HOOKYARD_LEASE_S", "1e300"),
    ("HOOKYARD_MAX_ATTEMPTS", "0"),
    ("HOOKYARD_MAX_ATTEMPTS", "64"),
    ("HOOKYARD_BACKOFF_S", "0"),
    ("HOOKYARD_MAX_BACKOFF_S", "inf"),
    ("HOOKYARD_MAX_BACKOFF_S", "1e300"),
    ("HOOKYARD_HANDLER_TIMEOUT_S", "0"),
    ("HOOKYARD_HANDLER_TIMEOUT_S", "infinity"),
    ("HOOKYARD_DRAIN_S", "-1"),
    ("HOOKYARD_DRAIN_S", "inf"),
    ("HOOKYARD_MAX_CRASHES", "0"),
    ("HOOKYARD_KEEP_SUCCEEDED_DAYS", "-1"),
    ("HOOKYARD_KEEP_SUCCEEDED_COUNT", "-1"),
    ("HOOKYARD_KEEP_FAILED_DAYS", "inf"),
    ("HOOKYARD_KEEP_FAILED_COUNT", "many"),
    ("HOOKYARD_LOG_LEVEL", "verbose"),
    ("HOOKYARD_LOG_FORMAT", "xml"),
]


def faults(**environment):
    with pytest.raises(SettingsError) as caught:
        load(**environment)
    return caught.value.faults


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_that_cannot_be_used_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    (fault,) = faults()
    assert fault.startswith(name)
    assert "hunter2" not in fault


def test_every_fault_is_named_at_once(monkeypatch):
    first_of_each = dict(reversed(BAD))
    for name, value in first_of_each.items():
        monkeypatch.setenv(name, value)
    found = faults()
    assert sorted(fault.partition("=")[0].partition(":")[0] for fault in found) == sorted(first_of_each)


def test_what_does_not_fit_together_is_named_with_the_rest(monkeypatch):
    monkeypatch.setenv("HOOKYARD_PORT", "http")
    monkeypatch.setenv("HOOKYARD_LEASE_S", "2")
    port, lease = faults()
    assert port.startswith("HOOKYARD_PORT=http")
    assert lease.startswith("HOOKYARD_LEASE_S=2 ")
    assert "HOOKYARD_REDIS_TIMEOUT_S=1" in lease


def test_what_cannot_be_judged_for_another_fault_is_not(monkeypatch):
    monkeypatch.setenv("HOOKYARD_REDIS_TIMEOUT_S", "soon")
    monkeypatch.setenv("HOOKYARD_LEASE_S", "2")
    (fault,) = faults()
    assert fault.startswith("HOOKYARD_REDIS_TIMEOUT_S=soon")


def test_the_defaults_are_settings():
    settings = load()
    assert (settings.redis_url, settings.port, settings.lease_ms) == (
        "redis://127.0.0.1:6379/0",
        8000,
        10_000,
    )
    assert (settings.secret_tokens, settings.signing_tokens, settings.access_token) == ((), (), None)
    assert settings.spool_dir is None


def test_an_empty_variable_is_an_unset_one(monkeypatch):
    for field in Settings.model_fields:
        monkeypatch.setenv(variable(field), "")
    assert load() == Settings()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("one", ["one"]),
        ("one,two", ["one", "two"]),
        (" one , two ,, ", ["one", "two"]),
        (",", []),
        ("with blank,ünïcode=", ["with blank", "ünïcode="]),
        ('["json"]', ['["json"]']),
    ],
)
def test_a_list_is_separated_by_commas(monkeypatch, value, expected):
    monkeypatch.setenv("GL_SECRET", value)
    assert [token.get_secret_value() for token in load().secret_tokens] == expected


def test_what_is_given_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("HOOKYARD_PORT", "9000")
    assert load().port == 9000
    assert load(HOOKYARD_PORT=9001).port == 9001


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("GL_URL", "https://gitlab.example.com/sub/", "gitlab_url", "https://gitlab.example.com/sub"),
        ("HOOKYARD_LOG_LEVEL", "INFO", "log_level", "info"),
        ("HOOKYARD_LOG_LEVEL", "Warning", "log_level", "warning"),
        ("HOOKYARD_HANDLERS", "mybot.handlers:router", "handlers", "mybot.handlers:router"),
        ("HOOKYARD_ALLOW_UNAUTHENTICATED", "1", "allow_unauthenticated", True),
        ("HOOKYARD_SPOOL_DIR", "/var/spool/hookyard", "spool_dir", Path("/var/spool/hookyard")),
        ("HOOKYARD_SHUTDOWN_DELAY_S", "0", "shutdown_delay_s", 0.0),
        ("REDIS_URL", "redis+sentinel://a,b/m", "redis_url", "redis+sentinel://a,b/m"),
    ],
)
def test_a_value_is_read(monkeypatch, name, value, field, expected):
    monkeypatch.setenv(name, value)
    assert getattr(load(), field) == expected


def test_secrets_are_in_no_representation(monkeypatch):
    monkeypatch.setenv("GL_SECRET", "hunter2")
    monkeypatch.setenv("GL_ACCESS_TOKEN", "hunter2")
    monkeypatch.setenv("GL_SIGNING_TOKEN", TOKEN)
    monkeypatch.setenv("REDIS_URL", "redis://user:hunter2@redis")
    settings = load()
    for text in (repr(settings), str(settings), settings.masked_redis_url):
        assert "hunter2" not in text
        assert TOKEN[6:] not in text
    assert settings.masked_redis_url == "redis://user:***@redis"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "user:hunter2@redis:6379"),
        ("REDIS_URL", "redis://:hunt/er2@redis"),
        ("REDIS_URL", "redis://user:hunter2"),
        ("GL_URL", "ftp://user:hunter2@gitlab"),
        ("GL_SIGNING_TOKEN", "whsec_hunter2"),
    ],
)
def test_a_fault_shows_no_secret(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert not {"hunter2", "er2@", "hunt/"} & set(str(caught.value).split())
    assert "hunt" not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("", "whsec_"),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "whsec_"),
        ("WHSEC_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "whsec_"),
        ("whsec_", "0 bytes instead of 32"),
        ("whsec_AAEC", "3 bytes instead of 32"),
        ("whsec_" + "A" * 88, "66 bytes instead of 32"),
        ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "base64"),
        ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd Hh8=", "base64"),
        ("whsec_--ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "base64"),
        ("whsec_é", "base64"),
    ],
)
def test_a_signing_token_that_gitlab_would_not_make_is_refused(token, told):
    with pytest.raises(ValueError, match=told) as caught:
        decode_signing_token(token)
    assert token[6:16] not in str(caught.value) or len(token) < 7


def test_a_signing_token_is_a_key_of_32_bytes():
    assert decode_signing_token(TOKEN) == bytes(range(32))


@pytest.mark.parametrize(
    ("given", "may_start"),
    [
        ({}, False),
        ({"GL_SECRET": " , "}, False),
        ({"HOOKYARD_ALLOW_UNAUTHENTICATED": "false"}, False),
        ({"GL_SECRET": "x"}, True),
        ({"GL_SIGNING_TOKEN": TOKEN}, True),
        ({"HOOKYARD_ALLOW_UNAUTHENTICATED": "true"}, True),
    ],
)
def test_an_ingress_starts_only_when_somebody_can_be_told_from_a_stranger(given, may_start):
    assert (ingress_faults(load(**given)) == []) is may_start


def exit_message(check, capsys):
    with pytest.raises(SystemExit) as caught:
        load_or_exit(check)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_a_process_ends_with_code_2_and_one_message_about_everything(monkeypatch, capsys):
    monkeypatch.setenv("HOOKYARD_PORT", "http")
    monkeypatch.setenv("HOOKYARD_SLOTS", "0")
    told = exit_message(ingress_faults, capsys)
    assert len(told.splitlines()) == 4
    assert all(name in told for name in ("HOOKYARD_PORT=http", "HOOKYARD_SLOTS=0", "GL_SECRET"))
    monkeypatch.delenv("HOOKYARD_PORT")
    monkeypatch.delenv("HOOKYARD_SLOTS")
    assert len(exit_message(ingress_faults, capsys).splitlines()) == 2


def test_a_check_does_not_complain_about_what_is_named_already(monkeypatch, capsys):
    monkeypatch.setenv("GL_SIGNING_TOKEN", "whsec_hunter2")
    told = exit_message(ingress_faults, capsys)
    assert len(told.splitlines()) == 2
    assert "GL_SIGNING_TOKEN: token 1" in told


def test_settings_that_are_right_are_given(monkeypatch):
    monkeypatch.setenv("GL_SECRET", "x")
    assert load_or_exit(ingress_faults).port == 8000


KUBERNETES = {
    "HOOKYARD_SERVICE_HOST": "10.0.0.1",
    "HOOKYARD_SERVICE_PORT": "80",
    "HOOKYARD_SERVICE_PORT_HTTP": "80",
    "HOOKYARD_PORT": "tcp://10.0.0.1:80",
    "HOOKYARD_PORT_80_TCP": "tcp://10.0.0.1:80",
    "HOOKYARD_PORT_80_TCP_ADDR": "10.0.0.1",
    "HOOKYARD_PORT_80_TCP_PORT": "80",
    "HOOKYARD_PORT_80_TCP_PROTO": "tcp",
    "HOOKYARD_INGRESS_PORT": "tcp://10.0.0.2:80",
    "HOOKYARD_INGRESS_SERVICE_HOST": "10.0.0.2",
    "HOOKYARD_INGRESS_SERVICE_PORT": "80",
    "HOOKYARD_REDIS_PORT_6379_TCP": "tcp://10.0.0.3:6379",
}


def test_what_kubernetes_injects_for_a_service_named_hookyard_does_no_harm(monkeypatch):
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    assert unknown_variables() == []
    assert load().port == 8000


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("HOOKYARD_LEASE", "HOOKYARD_LEASE is not a setting; did you mean HOOKYARD_LEASE_S?"),
        ("HOOKYARD_RETRIES", "did you mean HOOKYARD_MAX_ATTEMPTS?"),
        ("HOOKYARD_TRIES", "did you mean HOOKYARD_MAX_ATTEMPTS?"),
        ("HOOKYARD_RETRY_BASE_S", "did you mean HOOKYARD_BACKOFF_S?"),
        ("HOOKYARD_XYZZY_QUUX", "HOOKYARD_XYZZY_QUUX is not a setting"),
    ],
)
def test_a_variable_that_no_setting_reads_is_told(monkeypatch, name, told):
    monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("HOOKYARD_LEASE_S", "7")
    (warning,) = unknown_variables()
    assert told in warning
    assert "hunter2" not in warning


def test_other_programs_variables_are_theirs(monkeypatch):
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("GL_PAGES", "x")
    assert unknown_variables() == []


def secret_file(tmp_path, content, name="secret"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


SECRETS = ["GL_SECRET", "GL_SIGNING_TOKEN", "GL_ACCESS_TOKEN", "REDIS_URL", "REDIS_PASSWORD"]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_secret_may_come_from_a_file_without_the_line_end(monkeypatch, tmp_path, ending):
    monkeypatch.setenv("GL_ACCESS_TOKEN_FILE", str(secret_file(tmp_path, b"glpat-hunter2" + ending)))
    assert load().access_token.get_secret_value() == "glpat-hunter2"


def test_every_secret_may_come_from_a_file(monkeypatch, tmp_path):
    values = {
        "GL_SECRET": b"new,old",
        "GL_SIGNING_TOKEN": TOKEN.encode(),
        "GL_ACCESS_TOKEN": b"glpat-1",
        "REDIS_URL": b"redis://redis/3",
        "REDIS_PASSWORD": b"hunt/er2",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"{name}_FILE", str(secret_file(tmp_path, value + b"\n", name)))
    settings = load()
    assert [token.get_secret_value() for token in settings.secret_tokens] == ["new", "old"]
    assert [token.get_secret_value() for token in settings.signing_tokens] == [TOKEN]
    assert settings.access_token.get_secret_value() == "glpat-1"
    assert settings.redis_url == "redis://:hunt%2Fer2@redis/3"
    assert "hunt" not in repr(settings) + settings.masked_redis_url


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no such file"),
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"hunter2\nhunter3\n", "on one line"),
        (b"hunter2\0", "on one line"),
        (b"hunter2" * 10_000, "on one line"),
        (b"hunter2\xff", "it is not UTF-8 text"),
    ],
)
def test_a_file_that_holds_no_secret_is_told(monkeypatch, tmp_path, name, content, told):
    path = tmp_path / "nowhere" if content is None else secret_file(tmp_path, content)
    monkeypatch.setenv(f"{name}_FILE", str(path))
    (fault,) = faults()
    assert fault.startswith(f"{name}_FILE={path}: ")
    assert told in fault
    assert "hunter" not in fault


def test_a_directory_where_a_secrets_file_should_be_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("GL_SECRET_FILE", str(tmp_path))
    (fault,) = faults()
    assert "it is a directory" in fault


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_is_given_twice_is_told_and_neither_chosen(monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv(f"{name}_FILE", str(secret_file(tmp_path, b"hunter3")))
    (fault,) = faults()
    assert fault == f"{name}_FILE and {name} are both set: unset one of them"


def test_an_empty_name_of_a_file_is_none(monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(f"{name}_FILE", "")
    assert load() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GL_SECRET", "change-me"),
        ("GL_SECRET", "hunter2, CHANGE_ME please"),
        ("GL_SECRET", "replace this"),
        ("GL_SIGNING_TOKEN", "whsec_…"),
        ("GL_ACCESS_TOKEN", "glpat-…"),
        ("GL_ACCESS_TOKEN", "glpat-xxxxxxxxxxxxxxxxxxxx"),
        ("GL_ACCESS_TOKEN", "<your token>"),
        ("REDIS_URL", "redis://:change-me@redis"),
        ("REDIS_PASSWORD", "changeme"),
    ],
)
@pytest.mark.parametrize("is_file", [False, True])
def test_the_secret_of_an_example_is_refused(monkeypatch, tmp_path, name, value, is_file):
    if is_file:
        monkeypatch.setenv(f"{name}_FILE", str(secret_file(tmp_path, value.encode())))
    else:
        monkeypatch.setenv(name, value)
    (fault,) = faults()
    assert fault == f"{name}: this is a placeholder from an example; set the real value"


@pytest.mark.parametrize("value", ["exchange-mesh", "0" * 20, "glpat-abcxxxxx", "secret", "me"])
def test_what_only_resembles_an_example_is_a_secret(monkeypatch, value):
    monkeypatch.setenv("GL_SECRET", value)
    assert [token.get_secret_value() for token in load().secret_tokens] == [value]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis", "redis://:p%40ss@redis"),
        ("rediss://user@redis:6380/1", "rediss://user:p%40ss@redis:6380/1"),
        ("redis+sentinel://a:1,b:2/m/0", "redis+sentinel://:p%40ss@a:1,b:2/m/0"),
        ("unix:///run/redis@1.sock", "unix://:p%40ss@/run/redis@1.sock"),
    ],
)
def test_the_password_of_redis_need_not_stand_in_its_url(url, expected):
    assert load(REDIS_URL=url, REDIS_PASSWORD="p@ss").redis_url == expected


@pytest.mark.parametrize("url", ["redis://:one@redis", "redis://redis?password=one", "redis://u:one@redis"])
def test_two_passwords_for_redis_are_told(url):
    assert faults(REDIS_URL=url, REDIS_PASSWORD="two") == [
        "REDIS_PASSWORD and REDIS_URL both hold a password: remove it from one of them"
    ]


def test_a_password_for_no_redis_is_told():
    (fault,) = faults(REDIS_PASSWORD="hunter2")
    assert fault.startswith("REDIS_PASSWORD is set and REDIS_URL is not")
