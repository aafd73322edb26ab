from __future__ import annotations

import json

import httpx
import pytest
from gitlab_emulator.app import create_app
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from hookyard.cli import gitlab_call

GITLAB = "https://gitlab.example.com/sub"


@pytest.mark.parametrize(
    "path",
    [
        "projects/1/issues",
        "/projects/1/issues",
        "/api/v4/projects/1/issues",
        "api/v4/projects/1/issues",
        f"{GITLAB}/api/v4/projects/1/issues",
    ],
)
def test_a_path_may_come_with_or_without_what_precedes_it(path):
    call = gitlab_call.read_call("get", path, [], paginate=False, gitlab_url=GITLAB)
    assert (call.method, call.path) == ("GET", "projects/1/issues")


@pytest.mark.parametrize(
    "path", ["https://elsewhere.example.com/api/v4/user", "../../../user", "http:user", "/api/v4/../v3/user"]
)
def test_a_path_that_leads_away_from_gitlab_is_refused(path):
    with pytest.raises(gitlab_call.UsageError, match="the only address that gets the token"):
        gitlab_call.read_call("GET", path, [], paginate=False, gitlab_url=GITLAB)


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        (["title=From here"], {"title": "From here"}),
        (["text=a=b:=c"], {"text": "a=b:=c"}),
        (["confidential:=true", "n:=5", "ids:=[1, 2]"], {"confidential": True, "n": 5, "ids": [1, 2]}),
        (["empty="], {"empty": ""}),
        (["label=a", "label=b", "label=c"], {"label": ["a", "b", "c"]}),
        (["lines=a\nb"], {"lines": "a\nb"}),
    ],
)
def test_fields_are_texts_or_json(texts, fields):
    assert gitlab_call.read_fields(texts) == fields


@pytest.mark.parametrize("text", ["title", "=x", ":=1", "n:=five"])
def test_a_field_that_is_neither_is_wrong_use(text):
    with pytest.raises(gitlab_call.UsageError):
        gitlab_call.read_fields([text])


@pytest.mark.parametrize(("method", "paginate"), [("FETCH", False), ("POST", True)])
def test_methods_that_cannot_be_are_wrong_use(method, paginate):
    with pytest.raises(gitlab_call.UsageError):
        gitlab_call.read_call(method, "/user", [], paginate=paginate, gitlab_url=GITLAB)


@pytest.fixture
def run(processes):
    """Gives a coroutine function that runs ``hookyard api`` as a process; gives exit code and output."""
    import asyncio

    numbers = iter(range(99))

    async def run(*arguments, **environment):
        name = f"api-{next(numbers)}"
        process = processes.start("-m", "hookyard.cli.main", "api", *arguments, name=name, **environment)
        return await asyncio.to_thread(process.wait, 30), processes.log(name)

    return run


async def test_it_reads_writes_and_follows_pages(run, free_server):
    url = await free_server(create_app())
    code, out = await run("GET", "/projects/1/issues/1", GL_URL=url)
    assert (code, json.loads(out)["iid"]) == (0, 1)
    for number in range(3):
        code, out = await run("POST", "/projects/1/issues/1/notes", f"body=note {number}", GL_URL=url)
        assert (code, json.loads(out)["body"]) == (0, f"note {number}")
    arguments = ["GET", "/projects/1/issues/1/notes", "per_page=1", "sort=asc"]
    code, out = await run(*arguments, GL_URL=url)
    assert len(json.loads(out)) == 1
    code, out = await run(*arguments, "--paginate", GL_URL=url)
    assert [note["body"] for note in json.loads(out)][-3:] == ["note 0", "note 1", "note 2"]
    code, out = await run("DELETE", f"/projects/1/issues/1/notes/{json.loads(out)[-1]['id']}", GL_URL=url)
    assert (code, out) == (0, "")
    code, out = await run("GET", "/projects/1", "--paginate", GL_URL=url)
    assert (code, out) == (2, "projects/1 is a single object, not a list: leave out --paginate\n")


async def test_error_answers_are_one_line_with_status_and_gitlabs_words(run, free_server):
    url = await free_server(create_app(token="right"))
    code, out = await run("GET", "/projects/1", GL_URL=url, GL_ACCESS_TOKEN="geheim")
    assert (code, out) == (1, f"GitLab at {url} answered 401 Unauthorized\n")
    code, out = await run("GET", "/projects/99", GL_URL=url, GL_ACCESS_TOKEN="right")
    assert (code, out) == (1, f"GitLab at {url} answered 404 Project Not Found\n")
    code, out = await run("GET", "/projects/1", GL_URL="http://127.0.0.1:9")
    assert code == 1
    assert "does not answer" in out
    assert "Is GL_URL right?" in out
    assert len(out.splitlines()) == 1


async def test_what_is_no_gitlab_is_said_without_a_traceback(run, free_server):
    async def page(_request):
        return PlainTextResponse("<html>", media_type="application/json")

    url = await free_server(Starlette(routes=[Route("/{path:path}", page)]))
    code, out = await run("GET", "/user", GL_URL=url)
    assert code == 1
    assert "cannot be read" in out
    assert "Traceback" not in out


async def test_wrong_settings_are_named_with_exit_code_2(run):
    code, out = await run("GET", "/user", GL_URL="gitlab")
    assert code == 2
    assert "GL_URL" in out


async def test_head_gives_the_headers_and_get_spells_json_values_as_a_query_does(make_settings):
    seen = []

    async def answer(request):
        seen.append(str(request.url.query))
        return JSONResponse({}, headers={"x-total": "5"})

    from hookyard.gitlab.client import DeliveryGitLabAPI

    app = Starlette(routes=[Route("/{path:path}", answer)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        gl = DeliveryGitLabAPI(client, make_settings(GL_URL=GITLAB), event_uuid=None, clock=lambda: 0.0)
        fields = {"owned": True, "iids[]": ["1", "2"]}
        head = gitlab_call.ApiCall(method="HEAD", path="projects", fields=fields)
        assert (await gitlab_call.answer_of(head, gl))["x-total"] == "5"
    assert seen == ["owned=true&iids%5B%5D=1&iids%5B%5D=2"]
