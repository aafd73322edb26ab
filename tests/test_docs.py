"""Compare the documents with the code: metrics, alerts, answers, settings, states, JSON, commands, links."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from hookyard.cli.main import app
from hookyard.gitlab.hooks import Status
from hookyard.host.messages import Blocked
from hookyard.ledger import documents
from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.metrics import LedgerMetrics
from hookyard.ledger.query import Page, Stats
from hookyard.ledger.records import Attempt, Ending, Outcome, Record, Run, State
from hookyard.settings.settings import Settings, variable
from ingress.metrics import ANSWERS, IngressMetrics, SpoolMetrics
from ingress.spool.table import Depth
from tests.fakes import a_delivery
from worker.metrics import WorkerMetrics

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
METRICS = DOCS / "reference" / "metrics.md"
RUNBOOK = DOCS / "guides" / "operate.md"
ALERTS = ROOT / "deploy" / "alerts.yml"
PAGES = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
PAGES += ["bench/README.md", "emulator/README.md"]
PAGES += [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "examples").rglob("*.md"))]


@pytest.fixture
def exposed(redis_url):
    """Every metric that a process shows, with its labels, where everything there is to show is shown."""
    ingress, worker = IngressMetrics(), WorkerMetrics(slots=1)
    ledger = LedgerMetrics(ingress.registry, redis_url, LedgerKeys(), timeout_s=5)
    worker.handler("bot:handler").ran("succeeded", 0.1)
    worker.blocked(Blocked(run=4, handler="bot:handler", seconds=1.0))
    worker.hook_status("group/app 7", Status.DISABLED)
    worker.gitlab.called("GET", 200, 0.1, {"ratelimit-limit": "9", "ratelimit-remaining": "8"})
    SpoolMetrics(ingress.registry).depth = Depth(waiting=0, used_bytes=0, max_bytes=1)
    told = ingress.registry.render() + worker.registry.render()
    ledger.close()
    found = {}
    for family in text_string_to_metric_families(told.decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        found.setdefault(name, set()).update(
            label for sample in family.samples for label in sample.labels if label != "le"
        )
    return found


def documented():
    """Return the labels of every metric in the reference; each row must have a unit and a meaning."""
    found = {}
    for row in re.findall(
        r"^\| `(hookyard_\w+)` \|(.*)\|$", METRICS.read_text(encoding="utf-8"), re.MULTILINE
    ):
        labels, unit, meaning = (cell.strip() for cell in row[1].split("|"))
        assert unit, row
        assert meaning, row
        assert row[0] not in found, f"{row[0]} stands there twice"
        found[row[0]] = set(re.findall(r"`(\w+)`", labels))
    return found


def test_every_metric_is_documented_with_its_labels_and_unit_and_none_that_is_gone(exposed):
    assert documented() == exposed


def test_every_answer_of_the_ingress_is_counted_and_documented():
    """The reasons in the code are those that are counted, and those in docs/reference/answers.md's table."""
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "ingress").glob("*.py")))
    in_code = set(re.findall(r'reason="(\w+)"', code)) | set(re.findall(r'_refused?\(\s*\d+, "(\w+)"', code))
    in_code |= set(re.findall(r'^    [A-Z_]+ = "(\w+)"$', code, re.MULTILINE))  # Kept
    counted = {reason for reasons in ANSWERS.values() for reason in reasons}
    assert in_code == counted
    answers = (DOCS / "reference" / "answers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", answers, re.MULTILINE)
    told = {(status, reason) for status, cell in rows for reason in re.findall(r"`(\w+)`", cell)}
    assert told == {(status, reason) for status, reasons in ANSWERS.items() for reason in reasons}


def test_every_alert_uses_only_metrics_that_exist(exposed):
    text = re.sub(r"^ *#.*", "", ALERTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    used = set(re.findall(r"\bhookyard_\w+", text))
    assert used
    assert not used - exposed.keys()


def anchors(text):
    """The places that GitHub and GitLab make of headings."""
    return {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)", text, re.MULTILINE)
    }


def test_every_alert_has_its_place_in_the_runbook_and_every_such_place_its_alert():
    text = ALERTS.read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", text)
    links = re.findall(r"runbook: docs/guides/operate\.md#([\w-]+)", text)
    assert links == [alert.lower() for alert in alerts]
    runbook = RUNBOOK.read_text(encoding="utf-8")
    assert set(links) <= anchors(runbook)
    assert set(re.findall(r"^#+ (Hookyard[A-Z]\w+)$", runbook, re.MULTILINE)) == set(alerts)


def test_every_alert_comes_and_stays_away_in_a_test_of_promtools():
    cases = (ROOT / "tests" / "deploy" / "alerts.test.yml").read_text(encoding="utf-8")
    for alert in re.findall(r"- alert: (\w+)", ALERTS.read_text(encoding="utf-8")):
        assert re.search(rf"alertname: {alert}, (?:eval_time: \w+, )?exp_alerts: \[\]", cases), (
            f"{alert} never stays away"
        )
        assert re.search(rf"alertname: {alert}\n +exp_alerts:\n", cases), f"{alert} never comes"


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "deploy/alerts.yml"), ("test", "rules", "tests/deploy/alerts.test.yml")],
    ids=["check", "test"],
)
def test_promtool_finds_the_alert_rules_right(arguments):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: it comes with Debian's package prometheus")
    done = subprocess.run([promtool, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tables(path):
    """Return the rows of a document's tables, each a tuple of its cells, without the heads."""
    rows = re.findall(r"^\|(.*)\|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", row)) for row in rows]
    return [row for row, after in pairwise([*cells, ("",)]) if not {"".join(row), "".join(after)} & RULES]


RULES = {"---" * columns for columns in range(1, 6)}


def test_every_setting_is_documented_with_its_default_and_none_that_is_gone():
    rows = tables(DOCS / "reference" / "settings.md")
    assert all(meaning for _, _, meaning in rows)
    shown = {name.strip("`"): default.strip("`") for name, default, _ in rows}
    assert len(shown) == len(rows), "a setting stands there twice"
    assert shown == {variable(name): _as_text(field) for name, field in Settings.model_fields.items()}


def _as_text(field):
    default = None if field.is_required() else field.default
    match default:
        case None | () | "":
            return ""
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
    return str(default)


def test_documents_name_no_setting_that_does_not_exist():
    known = {variable(name) for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    known |= {name.replace("GL_", "GL_CORP_") for name in known if name.startswith("GL_")}
    known |= {"HOOKYARD_IMAGE", "HOOKYARD_TEST_REDIS"}  # of docker-compose.yml, and of our own tests
    for path in (*DOCS.rglob("*.md"), *(ROOT / name for name in PAGES)):
        named = set(re.findall(r"\b(?:HOOKYARD|GL)_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8")))
        assert not named - known, path


@pytest.mark.parametrize(
    ("heading", "words"), [("States", State), ("Outcomes", Outcome), ("Endings", Ending)]
)
def test_every_state_outcome_and_ending_is_documented(tmp_path, heading, words):
    text = (DOCS / "reference" / "states.md").read_text(encoding="utf-8")
    section = tmp_path / "section.md"
    section.write_text(re.split(r"^## ", text.split(f"\n## {heading} ")[1], flags=re.MULTILINE)[0])
    assert [word.strip("`") for word, _ in tables(section)] == [word.value for word in words]


def test_every_field_of_the_json_output_is_documented():
    attempt = Attempt(
        handler="m:h",
        outcome=Outcome.FAILED,
        number=1,
        started_ms=1,
        took_ms=1,
        final=False,
        due_ms=2,
        enqueued=("d-2",),
    )
    run = Run(number=1, worker="w", started_ms=1, ending=Ending.SETTLED, ended_ms=2, attempts=(attempt,))
    record = Record(delivery=a_delivery(), state=State.RETRYING, history=(run,))
    stats = documents.stats(Stats(states={}, total=0, oldest_due_ms=None, now_ms=1))
    produced = [*fields(documents.whole_delivery(record, with_body=True)), *stats]
    documented = [name.strip("`") for name, _ in tables(DOCS / "reference" / "json.md")]
    assert documented == [name for name in produced if not name.startswith("headers[]")]
    assert documents.page(Page(records=[], next_cursor=None)).keys() == {"deliveries", "next_cursor"}


def fields(shape, prefix=""):
    """Return the paths of all fields of a JSON object, such as `history[].attempts[].error`."""
    for name, value in shape.items():
        yield f"{prefix}{name}"
        if isinstance(value, list) and isinstance(value[0], dict):
            yield from fields(value[0], f"{prefix}{name}[].")


def test_the_command_reference_has_every_command_with_every_option(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    import cli_reference

    text = cli_reference.reference()
    for name, command in get_command(app).commands.items():
        section = re.split(r"^##", text.split(f"### hookyard {name}\n")[1], flags=re.MULTILINE)[0]
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert all(f"`{option}`" in section for option in parameter.opts), (name, parameter.opts)
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert cli_reference.MARK in page


def test_documents_use_only_commands_and_options_that_exist():
    """Each `hookyard COMMAND --option` in a document's code is one that the command line has."""
    commands = get_command(app).commands
    for path in (*DOCS.rglob("*.md"), *(ROOT / name for name in PAGES)):
        for name, rest in re.findall(
            r"(?<!SETUSER )\bhookyard (?!import\b)([a-z]+)\b([^`|#\n]*)", _code(path)
        ):
            assert name in commands, (path, name)
            options = {text for each in commands[name].params for text in (*each.opts, *each.secondary_opts)}
            assert not set(re.findall(r"(?<!\S)--[a-z-]+", rest)) - options - {"--help"}, (path, name)


def _code(path):
    """Return a document's blocks of code and what stands between backticks, a line for each."""
    text = path.read_text(encoding="utf-8")
    fenced = re.findall(r"^ *```\w*\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4,}(.*)$", text, re.MULTILINE)
    return "\n".join([*fenced, *indented, *re.findall(r"`([^`\n]+)`", text)])


def test_the_runbook_quotes_only_log_messages_that_exist():
    quoted = set(re.findall(r"`((?:GitLab|[a-z']+)(?: [a-z']+)+)`", RUNBOOK.read_text(encoding="utf-8")))
    quoted = {text for text in quoted if not text.startswith("hookyard ")}
    quoted -= {"appendonly yes", "internal error"}  # a line of Redis's configuration, a status of GitLab's
    sources = [path for top in ("hookyard", "ingress", "worker") for path in (ROOT / top).rglob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert quoted
    assert not {text for text in quoted if text not in code}


def test_the_readme_is_read_in_ten_minutes():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 150
    assert "dead letter" in text
    assert "idempotent" in text


def links(path):
    """The relative links of a document, without their anchors."""
    return re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))


def test_documents_name_no_file_that_does_not_exist():
    tops = "hookyard|ingress|worker|handlers|pytest_hookyard|emulator|tests|bench|deploy|docs|examples"
    for path in (*DOCS.rglob("*.md"), *(ROOT / name for name in PAGES)):
        for name in re.findall(rf"`((?:{tops})/[\w/.*-]*)`", path.read_text(encoding="utf-8")):
            made = name.startswith("bench/results/")
            assert made or any(ROOT.glob(name.rstrip("/"))) or any(ROOT.glob(f"{name}.py")), (path, name)


def test_the_architecture_lists_every_package():
    text = (
        (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("\n## Packages\n")[1].split("\n## ")[0]
    )
    listed = set(re.findall(r"^\| `([\w/]+)/` \|", text, re.MULTILINE))
    inside = {f"hookyard/{path.parent.name}" for path in (ROOT / "hookyard").glob("*/__init__.py")}
    outside = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "tests"}
    assert listed == inside | outside | {"emulator"}


@pytest.mark.parametrize(
    "name", [*PAGES, *(path.relative_to(ROOT).as_posix() for path in sorted(DOCS.rglob("*.md")))]
)
def test_a_document_links_to_nothing_that_is_not_there(name):
    path = ROOT / name
    assert not [link for link in links(path) if not (path.parent / link).exists()]
