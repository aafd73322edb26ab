"""What is made of what was found out: one table of cases for each thing that is looked at."""

from __future__ import annotations

from datetime import date

import pytest

from hookyard.cli.check import rules
from hookyard.settings.settings import ingress_faults, load

GOOD = {
    "redis_version": "7.2.4",
    "role": "master",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory": 2**30,
    "used_memory": 2**20,
    "maxmemory_policy": "noeviction",
}
CONFIG = {"appendfsync": "everysec", "maxmemory-policy": "noeviction"}
TODAY = date(2026, 1, 31)
URL = "redis://r/0"


def levels(found):
    return {one.about: one.level.value for one in found}


def test_a_good_redis_is_ok_throughout():
    assert set(levels(rules.of_redis(URL, GOOD, CONFIG)).values()) == {"ok"}


@pytest.mark.parametrize(
    ("info", "config", "about", "level"),
    [
        ({"redis_version": "6.0.16"}, CONFIG, "redis", "fault"),
        ({"redis_version": "6.2.0"}, CONFIG, "redis", "ok"),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.1"}, CONFIG, "redis", "ok"),
        ({"role": "slave"}, CONFIG, "redis", "fault"),
        ({"aof_enabled": 0}, CONFIG, "persistence", "risk"),
        ({"aof_last_write_status": "err"}, CONFIG, "persistence", "fault"),
        ({}, {"appendfsync": "no"}, "persistence", "risk"),
        ({}, {"appendfsync": "always"}, "persistence", "ok"),
        ({}, None, "persistence", "ok"),
        ({"maxmemory_policy": "allkeys-lru"}, None, "eviction", "fault"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, None, "eviction", "risk"),
        ({"maxmemory_policy": ""}, None, "eviction", "risk"),
        ({"maxmemory": 0}, CONFIG, "memory", "risk"),
        ({"used_memory": 2**30 - 1}, CONFIG, "memory", "risk"),
    ],
)
def test_redis_is_judged_by_what_could_be_lost(info, config, about, level):
    assert levels(rules.of_redis(URL, {**GOOD, **info}, config))[about] == level


def test_a_config_that_is_refused_is_said():
    (persistence,) = [one for one in rules.of_redis(URL, GOOD, None) if one.about == "persistence"]
    assert "CONFIG GET is refused" in persistence.text


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ({}, "fault"),
        ({"HOOKYARD_ALLOW_UNAUTHENTICATED": True}, "risk"),
        ({"GL_SECRET": "s1,s2"}, "ok"),
    ],
)
def test_who_may_send_is_judged(given, level):
    settings = load(**given)
    found = rules.of_settings(settings, given=0, unknown=[], ingress_faults=ingress_faults(settings))
    assert levels(found)["sender"] == level
    assert "s1" not in str(found)


def test_unknown_variables_and_a_missing_spool_are_risks():
    found = rules.of_settings(
        load(GL_SECRET="s"), given=1, unknown=["HOOKYARD_X is not a setting"], ingress_faults=[]
    )
    assert [one.about for one in found if one.level.value == "risk"] == ["settings", "spool"]


@pytest.mark.parametrize(
    ("report", "level"),
    [
        ({"error": "there is no module bot", "handlers": {}}, "fault"),
        ({"error": None, "handlers": {}}, "risk"),
    ],
)
def test_handlers_that_do_not_load_are_a_fault_and_none_a_risk(report, level):
    (one,) = rules.of_handlers({"import_string": "bot:router", **report})
    assert one.level.value == level


def test_each_handler_is_shown_with_its_events():
    report = {
        "import_string": "b:r",
        "error": None,
        "handlers": {"b:f": ["Push Hook", "Issue Hook (action=open)"]},
        "warnings": {"b:f": ["time.sleep (line 7) blocks the event loop"]},
    }
    found = rules.of_handlers(report)
    assert [one.level.value for one in found] == ["ok", "risk"]
    assert found[0].text == "b:f for Push Hook, Issue Hook (action=open)"
    assert found[1].text == "b:f: time.sleep (line 7) blocks the event loop"


def test_the_example_bot_is_a_risk_at_a_real_gitlab():
    report = {
        "import_string": rules.EXAMPLE_BOT,
        "error": None,
        "handlers": {"handlers:greet": ["Issue Hook"]},
        "warnings": {},
    }
    assert levels(rules.of_handlers(report, gitlab_url="https://gitlab.example.com"))["handlers"] == "risk"
    assert "handlers" not in levels(rules.of_handlers(report))


def a_token(**changed):
    return {"valid": True, "user": "bot", "scopes": ["api"], "expires_at": "2027-01-01", **changed}


@pytest.mark.parametrize(
    ("token", "level"),
    [
        (None, "risk"),
        (a_token(), "ok"),
        (a_token(valid=False), "fault"),
        (a_token(scopes=["read_api"]), "risk"),
        (a_token(expires_at="2026-02-05"), "risk"),
        (a_token(user=None, scopes=None, expires_at=None), "ok"),
    ],
)
def test_a_token_is_judged(token, level):
    report = {"url": "https://g", "answers": True, "error": None, "version": "19.1", "token": token}
    found = rules.of_gitlab(report, today=TODAY)
    assert levels(found) == {"gitlab": "ok", "token": level}


def test_the_emulator_needs_no_token():
    report = {"url": "http://127.0.0.1:8002", "answers": True, "error": None, "version": None, "token": None}
    assert levels(rules.of_gitlab(report, today=TODAY, is_emulator=True))["token"] == "ok"


def test_a_gitlab_that_does_not_answer_is_a_fault():
    report = {"url": "http://g", "answers": False, "error": "does not answer", "version": None, "token": None}
    assert levels(rules.of_gitlab(report, today=TODAY)) == {"gitlab": "fault"}
