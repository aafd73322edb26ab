"""Several GitLabs: two emulators, tokens apart, nothing crosses."""

from __future__ import annotations

import httpx
import pytest
from gidgetlab.routing import Router
from gitlab_emulator.app import create_app as create_gitlab

from hookyard import Wait, current_delivery, policy
from hookyard.ledger.records import State
from hookyard.settings.settings import SettingsError
from ingress.app import create_app
from tests.fakes import until

BODY = {
    "object_kind": "issue",
    "project": {"id": 1, "path_with_namespace": "greenhouse/watering-can"},
    "object_attributes": {"iid": 1, "action": "open"},
}


@pytest.fixture
async def two(free_server, make_settings):
    """The settings for two emulated GitLabs, and their addresses."""
    corp = await free_server(create_gitlab(token="corp-token"))
    com = await free_server(create_gitlab(token="com-token"))
    given = {
        "HOOKYARD_ALLOW_UNAUTHENTICATED": False,
        "HOOKYARD_SOURCES": "corp,com",
        "GL_CORP_URL": corp,
        "GL_CORP_ACCESS_TOKEN": "corp-token",
        "GL_CORP_SECRET": "corp-secret",
        "GL_COM_URL": com,
        "GL_COM_ACCESS_TOKEN": "com-token",
        "GL_COM_SECRET": "com-secret",
    }
    return given, corp, com


@pytest.fixture
async def post(two, free_server, make_settings):
    """Gives a coroutine function that posts a webhook with a secret."""
    url = await free_server(create_app(make_settings(**two[0])))

    async def send(secret, delivery_id="d-1", **headers):
        given = {
            "X-Gitlab-Token": secret,
            "X-Gitlab-Event": "Issue Hook",
            "Idempotency-Key": delivery_id,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        async with httpx.AsyncClient() as client:
            return await client.post(url, json=BODY, headers=given)

    return send


async def test_each_delivery_goes_to_the_gitlab_it_came_from(two, post, start_worker, listing):
    given, _, _ = two
    router, seen = Router(), []

    @router.register("Issue Hook")
    async def note(event, gl):
        seen.append((current_delivery().source, (await gl.getitem("/projects/1"))["web_url"]))

    await start_worker(router, **given)
    assert (await post("corp-secret")).status_code == 202
    assert (await post("com-secret")).status_code == 202
    assert (await post("corp-secret")).status_code == 200

    async def both():
        return (await listing.stats()).states[State.SUCCEEDED] == 2

    await until(both)
    assert sorted(source for source, _ in seen) == ["com", "corp"]
    assert all(url.startswith(given[f"GL_{source.upper()}_URL"]) for source, url in seen)
    record = await listing.get("corp~d-1")
    assert (record.delivery.source, record.delivery.authenticated_by[:14]) == ("corp", "secret token 1")


async def test_an_instance_that_contradicts_the_secret_is_refused(two, post):
    _, corp, com = two
    assert (await post("corp-secret", "d-2", X_Gitlab_Instance=corp)).status_code == 202
    answer = await post("corp-secret", "d-3", X_Gitlab_Instance=com)
    assert answer.status_code == 401
    assert "the secret is that of corp" in answer.text


async def test_keys_and_waits_stand_for_one_gitlab(two, post, start_worker, listing):
    router, runs = Router(), []

    @router.register("Issue Hook")
    @policy(key="{project}")
    async def waits(event, gl):
        source = current_delivery().source
        runs.append(source)
        if runs.count(source) == 1:
            raise Wait(3600, wake_on="greenhouse/watering-can#1")

    await start_worker(router, **two[0])
    await post("corp-secret", "d-1")
    await post("com-secret", "d-1")

    async def state_of(one, state):
        record = await listing.get(one)
        return record is not None and record.state is state

    await until(lambda: state_of("corp~d-1", State.WAITING))
    await until(lambda: state_of("com~d-1", State.WAITING))
    await post("com-secret", "d-2")
    await until(lambda: state_of("com~d-1", State.SUCCEEDED))
    assert await state_of("corp~d-1", State.WAITING)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"GL_CORP_URL": ""}, "GL_CORP_URL is not set"),
        ({"GL_CORP_URL": "corp"}, "GL_CORP_URL=corp: it must be the address of a GitLab"),
        ({"GL_COM_SECRET": "corp-secret"}, "have a secret in common"),
        ({"GL_SECRET": "alone"}, "GL_SECRET belongs to no source"),
        ({"HOOKYARD_SOURCES": "corp,corp"}, "names one of them twice"),
        ({"HOOKYARD_SOURCES": "default"}, "is not default"),
        ({"GL_CORP_SIGNING_TOKEN": "x"}, "GL_CORP_SIGNING_TOKEN: token 1 does not begin with whsec_"),
        ({"GL_CORP_SECRET_FILE": "/nowhere"}, "GL_CORP_SECRET_FILE and GL_CORP_SECRET are both set"),
    ],
)
def test_faults_are_named_by_the_variable_of_the_source(make_settings, changed, text):
    given = {
        "HOOKYARD_SOURCES": "corp,com",
        "GL_CORP_URL": "https://gitlab.corp",
        "GL_CORP_SECRET": "corp-secret",
        "GL_COM_URL": "https://gitlab.com",
        "GL_COM_SECRET": "com-secret",
        **changed,
    }
    with pytest.raises(SettingsError) as raised:
        make_settings(**given)
    assert any(text in fault for fault in raised.value.faults), raised.value.faults
    assert "corp-secret" not in str(raised.value)
