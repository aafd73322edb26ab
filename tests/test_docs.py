"""What the documents say about metrics and alerts, held against the code."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hookyard.ledger.keys import LedgerKeys
from hookyard.ledger.metrics import LedgerMetrics
from ingress.metrics import ANSWERS, IngressMetrics, SpoolMetrics
from ingress.spool.table import Depth
from worker.metrics import WorkerMetrics

ROOT = Path(__file__).resolve().parent.parent
METRICS = ROOT / "docs" / "reference" / "metrics.md"
RUNBOOK = ROOT / "docs" / "guides" / "operate.md"
ALERTS = ROOT / "deploy" / "alerts.yml"


@pytest.fixture
def exposed(redis_url):
    """Every metric that a process shows, with its labels, where everything there is to show is shown."""
    ingress, worker = IngressMetrics(), WorkerMetrics(slots=1)
    ledger = LedgerMetrics(ingress.registry, redis_url, LedgerKeys(), timeout_s=5)
    worker.handler("bot:handler").ran("succeeded", 0.1)
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
    """The reasons in the code are those that are counted, and those in docs/reference/metrics.md's table."""
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "ingress").glob("*.py")))
    in_code = set(re.findall(r'reason="(\w+)"', code)) | set(
        re.findall(r'_(?:reject|busy)\([^"]*?"([a-z]\w+)"', code)
    )
    in_code |= set(re.findall(r'^    [A-Z_]+ = "(\w+)"$', code, re.MULTILINE))  # Kept
    counted = {reason for reasons in ANSWERS.values() for reason in reasons}
    assert in_code == counted
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", METRICS.read_text(encoding="utf-8"), re.MULTILINE)
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


def links(path):
    """The relative links of a document, without their anchors."""
    return re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name", ["README.md", "SECURITY.md", "docs/guides/operate.md", "docs/reference/metrics.md"]
)
def test_a_document_links_to_nothing_that_is_not_there(name):
    path = ROOT / name
    assert not [link for link in links(path) if not (path.parent / link).exists()]
