"""Scripts of others are as they were published."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from hookyard.console.app import STATIC

VENDOR = Path(STATIC) / "vendor"


def test_every_vendored_script_has_its_hash_and_licence():
    told = (VENDOR / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([\w.-]+)` \|.*`([0-9a-f]{64})` \|$", told, re.MULTILINE))
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}
    assert found == rows
    assert "Zero-Clause BSD" in (VENDOR / "LICENSE").read_text()
