"""Vulnerability Hook: there is no project in it but for `object_attributes.project_id`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.samples import issues, parts
from gitlab_emulator.samples.sample import sample

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

VULNERABILITY_ID = 9501


def _event(scene: Scene, state: str, **changed: object) -> Json:
    found_at = scene.now if state == "detected" else scene.now - timedelta(days=2)
    attributes: Json = {
        "url": parts.url(scene, f"/-/security/vulnerabilities/{VULNERABILITY_ID}"),
        "title": "The valve takes negative amounts of water",
        "state": state,
        "project_id": scene.project.id,
        "location": {"file": "watering/valve.py", "start_line": 12},
        "cvss": [],
        "severity": "high",
        "severity_overridden": False,
        "identifiers": [
            {
                "name": "CWE-20",
                "external_id": "20",
                "external_type": "cwe",
                "url": "https://cwe.mitre.org/data/definitions/20.html",
            }
        ],
        "issues": [],
        "report_type": "sast",
        "scanner_external_id": "semgrep",
        "confidence": "unknown",
        "confidence_overridden": False,
        "confirmed_at": None,
        "confirmed_by_id": None,
        "dismissed_at": None,
        "dismissed_by_id": None,
        "resolved_at": None,
        "resolved_by_id": None,
        "auto_resolved": False,
        "resolved_on_default_branch": False,
        "created_at": parts.iso(found_at),
        "updated_at": parts.iso(scene.now),
    }
    if state != "detected":
        attributes[f"{state}_at"] = parts.iso(scene.now)
    return {"object_kind": "vulnerability", "object_attributes": {**attributes, **changed}}


def _issue(scene: Scene) -> Json:
    return {
        "title": scene.issue.title,
        "url": issues.attributes(scene, scene.issue)["url"],
        "created_at": parts.iso(scene.issue.created_at),
        "updated_at": parts.iso(scene.now),
    }


def _detected(scene: Scene) -> Json:
    return _event(scene, "detected")


def _confirmed(scene: Scene) -> Json:
    return _event(scene, "confirmed", confirmed_by_id=scene.maintainer.id, issues=[_issue(scene)])


def _resolved(scene: Scene) -> Json:
    return _event(scene, "resolved", resolved_by_id=scene.maintainer.id)


SAMPLES = [
    sample("vulnerability-detected", "A scan finds a vulnerability.", _detected),
    sample("vulnerability-confirmed", "The maintainer confirms it and links an issue to it.", _confirmed),
    sample("vulnerability-resolved", "The maintainer marks it as resolved.", _resolved),
]
