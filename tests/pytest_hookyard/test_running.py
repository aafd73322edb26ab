"""A running Hookyard without ``deliver``: webhooks of the emulator's own, other senders, other settings."""

from __future__ import annotations

import httpx
import pytest
import redis
from gidgetlab.routing import Router

from hookyard.settings.settings import SettingsError
from pytest_hookyard.delivered import NotDoneError
from pytest_hookyard.terms import settings_for_tests

router = Router()


@router.register("Issue Hook", action="open")
async def label(event, gl):
    issue = f"/projects/{event.project_id}/issues/{event.object_attributes['iid']}"
    await gl.put(issue, data={"labels": "new"})


@router.register("Issue Hook", action="update")
async def thank(event, gl):
    issue = f"/projects/{event.project_id}/issues/{event.object_attributes['iid']}"
    await gl.post(f"{issue}/notes", data={"body": "Thank you"})


@pytest.fixture
def hookyard_router():
    return router


@pytest.fixture
def api(gitlab_emulator):
    """The emulator's API."""
    with httpx.Client(base_url=f"{gitlab_emulator.url}/api/v4", trust_env=False) as client:
        client.headers["private-token"] = "glpat-somebody"
        yield client


def test_what_acting_in_gitlab_sets_off_can_be_waited_for(api, hookyard, gitlab_emulator):
    hook = {"url": hookyard.url, "token": hookyard.secrets.token, "issues_events": True}
    assert api.post("/projects/1/hooks", json=hook).status_code == 201
    made = api.post("/projects/1/issues", json={"title": "The tank leaks"})
    assert made.status_code == 201
    done = hookyard.deliveries()
    assert done[0].state == "succeeded"
    assert done[0].attempt_of("label").outcome == "succeeded"
    assert [(call.method, call.status) for call in done[0].calls] == [("PUT", 200)]
    issue = gitlab_emulator.state.projects[1].issues[made.json()["iid"]]
    assert issue.labels == ["new"]
    assert len(done) == 1  # what the bot did set off nothing more: its calls say which event they are for


def test_a_webhook_without_the_secret_is_turned_away(hookyard):
    answer = httpx.post(hookyard.url, json={}, headers={"x-gitlab-event": "Push Hook"}, trust_env=False)
    assert answer.status_code == 401
    answer = httpx.post(
        hookyard.url,
        json={},
        headers={"x-gitlab-event": "Push Hook", "x-gitlab-token": hookyard.secrets.token},
        trust_env=False,
    )
    assert answer.status_code == 202
    assert [one.state for one in hookyard.deliveries()] == ["ignored"]


def test_deliveries_that_are_not_done_in_time_are_told(hookyard, gitlab_emulator):
    gitlab_emulator.fail(calls=10, status=429, headers={"Retry-After": "3600"})
    headers = {"x-gitlab-event": "Issue Hook", "x-gitlab-token": hookyard.secrets.token}
    body = {"project": {"id": 1}, "object_attributes": {"iid": 1, "action": "open"}}
    assert httpx.post(hookyard.url, json=body, headers=headers, trust_env=False).status_code == 202
    with pytest.raises(NotDoneError, match="not run again for"):
        hookyard.deliveries(timeout_s=5)


class TestWithARedisOfSomebodyElse:
    """Which does not tell of changes, and may hold what is none of ours."""

    @pytest.fixture
    def hookyard_redis(self, redis_server):
        return redis_server.url

    def test_deliveries_are_waited_for_all_the_same(self, deliver, hookyard_redis):
        assert deliver("issue-open").state == "succeeded"
        with redis.Redis.from_url(hookyard_redis) as client:
            assert client.config_get("notify-keyspace-events")["notify-keyspace-events"] == ""


def test_the_environment_of_whoever_runs_the_tests_does_not_count(monkeypatch):
    monkeypatch.setenv("GL_ACCESS_TOKEN", "glpat-production")
    monkeypatch.setenv("GL_URL", "https://gitlab.example.com")
    monkeypatch.setenv("HOOKYARD_MAX_ATTEMPTS", "1")
    settings = settings_for_tests("redis://127.0.0.1:1/0", "http://127.0.0.1:2", {"HOOKYARD_SLOTS": 3})
    assert settings.gitlab_url == "http://127.0.0.1:2"
    assert settings.access_token is not None
    assert settings.access_token.get_secret_value() != "glpat-production"
    assert (settings.max_attempts, settings.slots) == (8, 3)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"HOOKYARD_MAX_ATTEMPT": 2},
            "HOOKYARD_MAX_ATTEMPT is not a setting; did you mean HOOKYARD_MAX_ATTEMPTS?",
        ),
        ({"HOOKYARD_MAX_ATTEMPTS": "many"}, "HOOKYARD_MAX_ATTEMPTS=many"),
    ],
)
def test_settings_that_cannot_be_used_are_named(given, told):
    with pytest.raises(SettingsError) as caught:
        settings_for_tests("redis://127.0.0.1:1/0", "http://127.0.0.1:2", given)
    assert told in str(caught.value)


def test_no_two_tests_share_a_ledger():
    prefixes = {settings_for_tests("redis://127.0.0.1:1/0", "http://x", {}).prefix for _ in range(3)}
    assert len(prefixes) == 3
