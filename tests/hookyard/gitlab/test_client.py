"""The GitLab client of handlers, against a server of its own."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sys
from http import HTTPStatus

import httpx
import pytest
from gidgetlab.exceptions import (
    BadRequest,
    GitLabBroken,
    GraphQLAuthorizationFailure,
    InvalidField,
    RateLimitExceeded,
)

from hookyard.gitlab.client import (
    AnswerTooLarge,
    DeliveryGitLabAPI,
    TooManyRequests,
    retry_after_s,
    shown_path,
)
from hookyard.gitlab.metrics import GitLabMetrics
from hookyard.gitlab.origin import ForeignAddress
from hookyard.telemetry import logs
from hookyard.telemetry.metrics import Registry

NOW_S = 1_700_000_000.0
JSON = b"application/json"


class GitLab:
    """Answers calls with what was put into ``answers``, and remembers them."""

    def __init__(self):
        self.answers: list[httpx.Response] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request):
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else httpx.Response(200, json={"ok": True})


@pytest.fixture
def gitlab():
    return GitLab()


@pytest.fixture
async def gl(gitlab, make_settings):
    settings = make_settings(
        GL_URL="http://gitlab.test/sub", GL_ACCESS_TOKEN="glpat-x", HOOKYARD_GITLAB_WAIT_S=3
    )
    async with httpx.AsyncClient(transport=httpx.MockTransport(gitlab)) as client:
        api = DeliveryGitLabAPI(client, settings, event_uuid="uuid-1", clock=lambda: NOW_S)
        api.slept = []

        async def sleep(seconds):
            api.slept.append(seconds)

        api.sleep = sleep
        yield api


async def test_the_event_uuid_and_the_token_go_along(gl, gitlab):
    assert await gl.getitem("/projects/1") == {"ok": True}
    sent = gitlab.requests[0]
    assert str(sent.url) == "http://gitlab.test/sub/api/v4/projects/1"
    assert sent.headers["x-gitlab-event-uuid"] == "uuid-1"
    assert sent.headers["authorization"] == "Bearer glpat-x"
    assert sent.headers["user-agent"] == "hookyard"


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.test/api/v4/x",
        "http://gitlab.test:8443/api/v4/x",
        "https://gitlab.test/sub/api/v4/x",
        "http://gitlab.test@elsewhere.test/x",
        "http://me:secret@gitlab.test/sub/api/v4/x",
        "http://gitlab.test.elsewhere.test/x",
        "HTTP://ELSEWHERE.test/x",
        "ftp://gitlab.test/x",
        "http://[::1/x",
    ],
)
@pytest.mark.parametrize("method", ["getitem", "post", "delete", "graphql"])
async def test_the_token_goes_to_gl_url_and_nowhere_else(gl, gitlab, url, method):
    if method == "graphql":
        gl.graphql_endpoint = url
    call = {
        "getitem": lambda: gl.getitem(url),
        "post": lambda: gl.post(url, data={}),
        "delete": lambda: gl.delete(url),
        "graphql": lambda: gl.graphql("query { x }"),
    }[method]
    with pytest.raises((ForeignAddress, ValueError)) as refused:
        await call()
    assert gitlab.requests == []
    assert "secret" not in str(refused.value)


def pages(count, link):
    """Pages of one item each, each of which links to the next."""
    return [
        httpx.Response(
            200, json=[n], headers={"Link": f'<{link.format(n + 2)}>; rel="next"'} if n + 1 < count else {}
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    "link",
    [
        "http://gitlab.test/sub/api/v4/projects?page={}&per_page=1",
        "https://gitlab.internal:8080/sub/api/v4/projects?page={}&per_page=1",
        "https://gitlab.internal/gitlab/api/v4/projects?page={}&per_page=1",
    ],
)
async def test_pages_are_read_at_gl_url_wherever_gitlab_links_to(gl, gitlab, link):
    gitlab.answers = pages(3, link)
    assert [item async for item in gl.getiter("/projects", {"page": 1, "per_page": 1})] == [0, 1, 2]
    assert [(each.url.host, each.url.params["page"]) for each in gitlab.requests] == [
        ("gitlab.test", "1"),
        ("gitlab.test", "2"),
        ("gitlab.test", "3"),
    ]


async def test_a_list_may_have_any_number_of_pages(gl, gitlab):
    count = sys.getrecursionlimit() * 2
    gitlab.answers = pages(count, "http://gitlab.test/sub/api/v4/projects?cursor={}")
    assert [item async for item in gl.getiter("/projects")] == list(range(count))


@pytest.mark.parametrize(
    "link", ["https://elsewhere.test/stolen?page=2", "http://gitlab.test:1/x", "//elsewhere.test/x", "ht!tp:"]
)
async def test_a_link_out_of_gitlabs_api_is_refused(gl, gitlab, link):
    gitlab.answers = pages(3, link)
    with pytest.raises(ForeignAddress):
        [item async for item in gl.getiter("/projects")]
    assert len(gitlab.requests) == 1


async def test_pages_that_link_in_a_circle_end(gl, gitlab):
    gitlab.answers = pages(1000, "http://gitlab.test/sub/api/v4/projects?page=2")
    with pytest.raises(ForeignAddress, match="without end"):
        [item async for item in gl.getiter("/projects")]
    assert len(gitlab.requests) == 2


async def test_an_answer_that_grows_beyond_bounds_is_not_read_to_its_end(gl, gitlab, monkeypatch):
    monkeypatch.setattr("hookyard.gitlab.client._MAX_ANSWER_BYTES", 1_000_000)
    gitlab.answers = [
        httpx.Response(200, content=gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"})
    ]
    with pytest.raises(AnswerTooLarge):
        await gl.getitem("/x")


@pytest.mark.parametrize(
    "value", ["²", "-1", "1e400", "9" * 400, "NaN", "inf", "", "soon", "Mon, 99 Foo 99999 00:00:00"]
)
async def test_an_odd_wait_is_at_least_a_growing_second(gl, gitlab, value):
    odd = value.encode("latin-1")
    headers = [(b"Retry-After", odd), (b"RateLimit-Reset", odd)]
    gitlab.answers = [httpx.Response(429, headers=headers)] * 10
    with pytest.raises(TooManyRequests) as caught:
        await gl.getitem("/x")
    assert gl.slept == [1.0, 2.0]
    assert 0 <= getattr(caught.value, "retry_after_s", 0.0) <= 366 * 86_400
    gitlab.answers = [httpx.Response(200, json=1, headers=[*headers, (b"RateLimit-Limit", odd)])]
    assert await gl.getitem("/x") == 1


async def test_a_short_429_is_waited_for_also_by_a_post(gl, gitlab):
    gitlab.answers = [httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(201, json={"id": 1})]
    assert await gl.post("/x", data={"a": 1}) == {"id": 1}
    assert gl.slept == [1.0]
    assert len(gitlab.requests) == 2


async def test_a_long_429_carries_its_wait_on(gl, gitlab):
    gitlab.answers = [httpx.Response(429, headers={"Retry-After": "60"}, text="Retry later")]
    with pytest.raises(TooManyRequests) as caught:
        await gl.getitem("/x")
    assert caught.value.retry_after_s == 60
    assert isinstance(caught.value, BadRequest)
    assert gl.slept == []


async def test_many_short_429s_are_not_waited_for_for_ever(gl, gitlab):
    gitlab.answers = [httpx.Response(429, headers={"Retry-After": "1"})] * 10
    with pytest.raises(TooManyRequests):
        await gl.getitem("/x")
    assert gl.slept == [1.0, 2.0]  # of the three seconds that it has


@pytest.mark.parametrize(
    ("answer", "kind", "status", "text"),
    [
        (
            httpx.Response(404, json={"message": "404 Project Not Found"}),
            BadRequest,
            404,
            "404 Project Not Found",
        ),
        (httpx.Response(400, json={"error": "body is missing"}), BadRequest, 400, "body is missing"),
        (
            httpx.Response(401, json={"error": "invalid_token", "error_description": "Token is expired."}),
            BadRequest,
            401,
            "Token is expired.",
        ),
        (httpx.Response(422, json={"error": "no"}), InvalidField, 422, "no"),
        (httpx.Response(422, text="<html>"), InvalidField, 422, HTTPStatus(422).phrase),
        (
            httpx.Response(422, json={"message": {"title": ["is too long"]}}),
            InvalidField,
            422,
            "{'title': ['is too long']}",
        ),
        (httpx.Response(422, json=[1]), InvalidField, 422, HTTPStatus(422).phrase),
        (httpx.Response(520, text="proxy"), GitLabBroken, 520, "status 520"),
        (
            httpx.Response(502, content=b"\xff\xfe", headers={"content-type": "application/json"}),
            GitLabBroken,
            502,
            "Bad Gateway",
        ),
        (
            httpx.Response(500, content=b"[" * 100_000, headers={"content-type": "application/json"}),
            GitLabBroken,
            500,
            "Internal Server Error",
        ),
        (httpx.Response(499), BadRequest, 499, "status 499"),
        (
            httpx.Response(
                403, headers={"RateLimit-Limit": "5", "RateLimit-Remaining": "0", "RateLimit-Reset": "9"}
            ),
            RateLimitExceeded,
            403,
            "Forbidden",
        ),
        (
            httpx.Response(
                403, headers={"RateLimit-Limit": "x", "RateLimit-Remaining": "0", "RateLimit-Reset": "9"}
            ),
            BadRequest,
            403,
            "Forbidden",
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_error_answers_become_gidgetlabs_exceptions(gl, gitlab, answer, kind, status, text):
    gitlab.answers = [answer]
    with pytest.raises(kind) as caught:
        await gl.getitem("/x")
    assert int(caught.value.status_code) == status
    assert str(caught.value) == text


async def test_a_503_carries_its_wait_on(gl, gitlab):
    gitlab.answers = [httpx.Response(503, headers={"Retry-After": "30"})]
    with pytest.raises(GitLabBroken) as caught:
        await gl.post("/x", data={})
    assert caught.value.retry_after_s == 30


async def test_graphql_errors_stay_gidgetlabs_own(gl, gitlab):
    gitlab.answers = [httpx.Response(401, json={"errors": [{"message": "Invalid token"}]})]
    with pytest.raises(GraphQLAuthorizationFailure):
        await gl.graphql("query { x }")
    gitlab.answers = [httpx.Response(520, json={})]
    with pytest.raises(GitLabBroken):
        await gl.graphql("query { x }")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2000 22:13:30 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"ratelimit-reset": "1700000005", "ratelimit-remaining": "0"}, 5.0),
        ({"ratelimit-reset": "1700000005", "ratelimit-remaining": "9"}, None),
    ],
)
def test_the_wait_that_an_answer_names(headers, expected):
    assert retry_after_s(headers, now_s=NOW_S) == expected


async def test_idempotent_calls_are_repeated_and_posts_are_not(make_settings, free_server):
    from hookyard.gitlab.client import open_client

    seen = []

    async def app(scope, receive, send):
        seen.append(scope["method"])
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    settings = make_settings(GL_URL=await free_server(app), HOOKYARD_GITLAB_WAIT_S=1)
    async with open_client(settings) as client:
        api = DeliveryGitLabAPI(client, settings, event_uuid=None, clock=lambda: NOW_S)
        for call in (api.getitem("/x"), api.post("/x", data=json.loads("{}"))):
            with pytest.raises(GitLabBroken):
                await call
    assert seen == ["GET", "GET", "GET", "POST"]


API = "https://gitlab.test/sub/api/v4"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"{API}/projects/1/issues?private_token=geheim", "/projects/1/issues"),
        (f"{API}/projects/group%2Fapp#geheim", "/projects/group%2Fapp"),
        (f"{API}/" + "x" * 500, "/" + "x" * 198 + "…"),
        ("https://bot:geheim@hooks.elsewhere.test/services/geheim", "hooks.elsewhere.test"),
        ("https://[", "?"),
    ],
)
def test_what_a_log_shows_of_an_address_holds_no_secret(url, shown):
    assert shown_path(url, api_url=API) == shown


async def test_each_call_is_logged_and_counted_with_its_answer(gitlab, make_settings, capsys):
    logs.configure("worker", log_format="json")
    registry = Registry()
    metrics = GitLabMetrics(registry)
    limit = {"RateLimit-Limit": "600", "RateLimit-Remaining": "598"}
    gitlab.answers = [httpx.Response(200, json={}, headers=limit), httpx.Response(404)]

    def lost(_request):
        raise httpx.ConnectError("gone")

    settings = make_settings(GL_URL="http://gitlab.test", GL_ACCESS_TOKEN="geheim")
    for answering in (gitlab, gitlab, lost):
        async with httpx.AsyncClient(transport=httpx.MockTransport(answering)) as client:
            api = DeliveryGitLabAPI(client, settings, event_uuid=None, clock=lambda: NOW_S, metrics=metrics)
            with contextlib.suppress(BadRequest, httpx.ConnectError):
                await api.post("/projects/1/issues?private_token=geheim", data={"title": "geheim"})
    told = capsys.readouterr().err
    assert "geheim" not in told
    lines = [json.loads(line) for line in told.splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/projects/1/issues", 200),
        ("POST", "/projects/1/issues", 404),
        ("POST", "/projects/1/issues", None),
    ]
    text = registry.render().decode()
    for line in (
        'hookyard_worker_gitlab_answers_total{status="200"} 1.0',
        'hookyard_worker_gitlab_answers_total{status="404"} 1.0',
        'hookyard_worker_gitlab_answers_total{status="none"} 1.0',
        'hookyard_worker_gitlab_call_seconds_count{method="POST"} 3.0',
        "hookyard_worker_gitlab_rate_limit_limit 600.0",
        "hookyard_worker_gitlab_rate_limit_remaining 598.0",
    ):
        assert line in text.splitlines()


async def test_calls_of_another_loop_are_made_in_the_loop_of_the_connections(make_settings, free_server):
    loops = set()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", JSON)]})
        await send({"type": "http.response.body", "body": b'{"ok": true}'})

    class Heard:
        def called(self, method, status, seconds, headers):
            loops.add(asyncio.get_running_loop())

    url = await free_server(app, lifespan="off")
    async with httpx.AsyncClient() as client:
        settings = make_settings(GL_URL=url)
        gl = DeliveryGitLabAPI(client, settings, event_uuid=None, clock=lambda: NOW_S, metrics=Heard())

        def plain():
            return [asyncio.run(gl.getitem("/projects/1")) for _ in range(3)]

        asked = [asyncio.to_thread(plain) for _ in range(4)] + [gl.getitem("/projects/1") for _ in range(4)]
        answers = await asyncio.gather(*asked)
    assert answers == [[{"ok": True}] * 3] * 4 + [{"ok": True}] * 4
    assert loops == {asyncio.get_running_loop()}
