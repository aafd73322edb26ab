"""The state as a file."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from gitlab_emulator import state_file
from gitlab_emulator.app import create_app
from gitlab_emulator.hooks.model import Hook, HookEvent
from gitlab_emulator.seed import START, seed
from gitlab_emulator.state import Member, State
from serving_app import serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOTES = "/api/v4/projects/1/issues/1/notes"


def full() -> State:
    """A state with something of every kind in it."""
    state = seed()
    state.hooks[7] = Hook(
        id=7,
        url="http://bot.example/",
        created_at=START,
        project_id=1,
        token="hush",
        custom_headers={"X-Can": "east"},
        disabled_until=START,
    )
    state.hook_events[9] = HookEvent(
        id=9,
        hook_id=7,
        created_at=START,
        url="http://bot.example/",
        url_digest="d",
        trigger="issue_hooks",
        request_headers={"webhook-id": "w"},
        request_data={"labels": [None, 1.5, {"a": "ä"}]},
        request_bytes=3,
        response_headers={},
        response_body="",
        response_status="200",
        execution_duration=0.25,
    )
    state.groups[5].members[2] = Member(user_id=2, access_level=20, created_at=START, expires_at="2027-01-01")
    state.projects[1].merge_requests[1].notes[12].position = {"new_line": 8}
    return state


async def until(holds: Callable[[], Any]) -> None:
    """Wait until that is so."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - files and logs tell nobody when they change
            await asyncio.sleep(0.005)


def notes_in(path: Path) -> list[str]:
    """What the file says was written on the issue."""
    state = state_file.load(path) if path.exists() else None
    return [] if state is None else [note.body for note in state.projects[1].issues[1].notes.values()]


def test_a_state_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    """Every kind of object, with times, numbers as keys and whatever stands in bodies."""
    path = tmp_path / "gitlab.json"
    state_file.save(path, state_file.as_text(full()))
    assert state_file.load(path) == full()
    assert [one.name for one in tmp_path.iterdir()] == ["gitlab.json"]


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Secrets of hooks stand in it."""
    path = tmp_path / "gitlab.json"
    state_file.save(path, state_file.as_text(full()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_file_there_is_no_state(tmp_path: Path) -> None:
    """The emulator then begins with its seed."""
    assert state_file.load(tmp_path / "none.json") is None


def test_what_an_older_file_lacks_gets_its_default(tmp_path: Path) -> None:
    """Fields come; files stay."""
    path, data = tmp_path / "old.json", json.loads(state_file.as_text(seed()))
    del data["state"]["hooks"], data["state"]["users"]["1"]["admin"]
    path.write_text(json.dumps(data))
    loaded = state_file.load(path)
    assert loaded is not None
    assert (loaded.hooks, loaded.users[1].admin) == ({}, False)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data.clear(), "it is not of version 1"),
        (lambda data: data.update(version=2), "it is not of version 1"),
        (lambda data: data.update(state=[]), "state is not of the type dict"),
        (lambda data: data["state"].pop("users"), "state.users is not there"),
        (lambda data: data["state"].update(bot_id=99), "state.bot_id is the number of no user"),
        (lambda data: data["state"].update(bot_id=True), "state.bot_id is not of the type int"),
        (lambda data: data["state"].update(pets={}), "state.pets is unknown"),
        (lambda data: data["state"]["users"].update(x={}), "state.users.x is not named by a number"),
        (
            lambda data: data["state"]["users"]["1"].update(created_at="2026-11-02T09:00:00"),
            "state.users.1.created_at is not a time with its zone",
        ),
        (
            lambda data: data["state"]["projects"]["1"]["issues"]["1"].update(labels=[1]),
            "state.projects.1.issues.1.labels[0] is not of the type str",
        ),
    ],
)
def test_a_broken_file_is_told_with_the_place(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    """And what to do: nothing is guessed, nothing overwritten."""
    path, data = tmp_path / "gitlab.json", json.loads(state_file.as_text(seed()))
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(state_file.StateFileError) as caught:
        state_file.load(path)
    assert str(caught.value).endswith(f"{why}. Move it away to start anew.")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_json_is_told(tmp_path: Path, content: bytes) -> None:
    """Whatever the bytes."""
    path = tmp_path / "gitlab.json"
    path.write_bytes(content)
    with pytest.raises(state_file.StateFileError, match="it is not JSON in UTF-8"):
        state_file.load(path)


def test_a_folder_is_no_state_file(tmp_path: Path) -> None:
    """Neither to read nor to write; what lay there stays."""
    with pytest.raises(state_file.StateFileError, match="cannot read"):
        state_file.load(tmp_path)
    with pytest.raises(state_file.StateFileError, match="cannot write"):
        state_file.save(tmp_path, "{}")
    assert list(tmp_path.parent.glob(f".{tmp_path.name}*")) == []


async def test_what_is_done_through_the_api_is_in_the_file_soon(tmp_path: Path) -> None:
    """And there again after the next start."""
    path = tmp_path / "gitlab.json"
    async with (
        serving(create_app(state_path=path)) as address,
        httpx.AsyncClient(base_url=address) as web,
    ):
        await web.post(NOTES, json={"body": "Hi"})
        await until(lambda: "Hi" in notes_in(path))
    async with (
        serving(create_app(state_file.load(path), state_path=path)) as address,
        httpx.AsyncClient(base_url=address) as web,
    ):
        note = await web.post(NOTES, json={"body": "again"})
        assert [one["body"] for one in (await web.get(NOTES)).json()][:2] == ["again", "Hi"]
        assert note.json()["id"] == 102
    assert notes_in(path)[-2:] == ["Hi", "again"]  # written at the end, soon or not


async def test_a_file_that_cannot_be_written_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The emulator itself goes on."""
    caplog.set_level(logging.ERROR, "gitlab_emulator")
    path = tmp_path / "later" / "gitlab.json"
    async with (
        serving(create_app(state_path=path)) as address,
        httpx.AsyncClient(base_url=address) as web,
    ):
        assert (await web.post(NOTES, json={"body": "Hi"})).status_code == 201
        await until(lambda: caplog.messages)
        assert caplog.messages[0].startswith(f"cannot write {path}: ")
        path.parent.mkdir()
    assert notes_in(path)[-1] == "Hi"


def test_a_state_is_not_shared_with_its_seed() -> None:
    """Two emulators in one process are two worlds."""
    one = seed()
    one.projects[1].issues[1] = replace(one.projects[1].issues[1], title="Changed")
    assert seed().projects[1].issues[1].title != "Changed"
