"""Whatever a client sends: GitLab's 4xx, never a 500."""

from __future__ import annotations

import re

import httpx
import pytest
from gitlab_emulator.app import create_app
from gitlab_emulator.gitlab_api.routes import PREFIX, TABLE

NAMES = """
    title description body name path color new_name priority labels add_labels remove_labels assignee_id
    assignee_ids reviewer_ids author_id state state_event scope sort order_by page per_page iids search
    user_id username access_level expires_at query user_ids email namespace_id parent_id visibility ref sha
    ref_name from to since until recursive status source variables target_url coverage pipeline_id
    confidential internal position resolved source_branch target_branch should_remove_source_branch
    merge_commit_message default_branch initialize_with_readme min_access_level updated_after sudo url token
    signing_token push_events custom_headers url_variables failure_reason trace description context
    confidential_issues_events push_events_branch_filter branch_filter_strategy custom_webhook_template
""".split()  # noqa: SIM905 - words are read more easily than quotation marks
ODD: list[object] = [
    *(None, "", " ", 0, -1, 10**30, 1.5, True, [], [None], [[]], ["\x00"], {}, {"a": {"b": 1}}),
    *("\x00", "ä\u2028", "9" * 30, "x" * 300, "../..", "1;DROP", "#1", "2026-13-45", [1, "x", {}]),
]
GOOD = {
    "id": "1",
    "issue_iid": "1",
    "merge_request_iid": "1",
    "note_id": "11",
    "pipeline_id": "81",
    "job_id": "91",
    "sha": "main",
    "branch": "main",
    "file_path": "README.md",
    "label_id": "bug",
    "user_id": "2",
    "trigger": "push_events",
}
SOUND = {
    "title": "x",
    "body": "x",
    "name": "x",
    "path": "y",
    "color": "#fff",
    "ref": "main",
    "state": "success",
}
BAD_IDS = ("0", "-1", "x", "9" * 40, "%00", "%2F", "%ff", "a%2Fb", "..", "%C3%A4")


def path_of(pattern: str, ids: dict[str, str]) -> str:
    """A route's path with these ids in it."""
    path = PREFIX + re.sub(r":(\w+)", lambda part: ids.get(part.group(1), "1"), pattern)
    return path.replace("/groups/1", "/groups/5")


def client() -> httpx.AsyncClient:
    """A client of a fresh emulator; an exception in the emulator is an exception in the test."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=create_app()), base_url="http://gitlab.test")


@pytest.mark.timeout(600)  # some twenty thousand calls
async def test_no_call_is_too_odd_for_an_answer() -> None:
    """Every route, with all parameters gone wrong at once and then each in one way; the next has another."""
    for start, (method, pattern, _) in enumerate(TABLE):
        bodies = [dict.fromkeys(NAMES, odd) for odd in ODD]
        bodies += [{**SOUND, name: ODD[(start + at) % len(ODD)]} for at, name in enumerate(NAMES)]
        async with client() as web:
            for body in bodies:
                await is_answered(web, method, path_of(pattern, GOOD), body)


async def test_no_id_is_too_odd_for_an_answer() -> None:
    """Every part of every path gone wrong."""
    for method, pattern, _ in TABLE:
        async with client() as web:
            for name in re.findall(r":(\w+)", pattern):
                for bad in BAD_IDS:
                    await is_answered(web, method, path_of(pattern, {**GOOD, name: bad}), {"title": "x"})


async def is_answered(web: httpx.AsyncClient, method: str, path: str, body: dict[str, object]) -> None:
    """Send one request; whatever goes wrong, the error names it."""
    sent = f"{method} {path} {body}"
    try:
        answer = await web.request(method, path, json=body)
    except Exception as exc:
        raise AssertionError(f"{type(exc).__name__} from {sent}") from exc
    assert answer.status_code < 500, f"{answer.status_code} {answer.text} to {sent}"
