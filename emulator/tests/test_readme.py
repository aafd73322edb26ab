"""README.md against the code: what it names is there, and what is there is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gitlab_emulator.app import create_app
from gitlab_emulator.cli import cli
from typer.main import get_command

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
PARAMETERS = [one for command in get_command(cli).commands.values() for one in command.params]  # type: ignore[attr-defined]


def test_every_option_that_it_names_exists() -> None:
    """Those of curl have one dash."""
    options = {name for one in PARAMETERS for name in one.opts if name.startswith("--")}
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", README)) <= {*options, "--help"}


def test_every_environment_variable_is_in_its_table() -> None:
    """And no other."""
    variables = {one.envvar for one in PARAMETERS if getattr(one, "envvar", None)}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)) == variables


def test_every_control_route_is_in_its_table(app: Starlette) -> None:
    """With the methods that it names."""
    routes = {route.path for route in app.routes if route.path.startswith("/-/")}  # type: ignore[attr-defined]
    routes -= {"/-/style.css"}
    assert set(re.findall(r"^\| `[A-Z]+ (/-/\w+)` \|", README, re.MULTILINE)) == routes


@pytest.mark.parametrize("line", re.findall(r"curl -X POST http://127.0.0.1:8002(/-/\w+ -d '[^']+')", README))
async def test_its_calls_of_control_routes_work(web: httpx.AsyncClient, line: str) -> None:
    """As written."""
    path, _, body = line.partition(" -d ")
    answer = await web.post(path, content=body.strip("'"))
    assert answer.status_code == 201, answer.text


async def test_its_example_of_a_test_works() -> None:
    """The fixture and the test, called as pytest would."""
    (source,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    namespace: dict[str, object] = {}
    exec(source, namespace)
    await namespace["test_opens_an_issue"](create_app())  # type: ignore[operator]
