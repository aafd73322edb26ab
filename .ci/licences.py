# ruff: noqa: INP001 - a script, and no package
"""Lists the licence of every package that running Hookyard needs, as each package itself states it.

python .ci/licences.py requirements.txt — exit code 1 when one states none.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

_LONGEST: Final = 60  # some put the whole licence where its name belongs


def licence_of(package: str) -> str:
    """Return what *package* states, "" when it states nothing that names a licence."""
    told = metadata(package)
    if expression := told.get("License-Expression"):
        return expression
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or []
        if line.startswith("License ::") and line != "License :: OSI Approved"
    ]
    text = (told.get("License") or "").strip()
    return " OR ".join(classifiers) or (text if text and len(text) <= _LONGEST and "\n" not in text else "")


def main() -> int:
    """Print one line for each package. Gives the exit code."""
    lock = Path(sys.argv[1]).read_text(encoding="utf-8")
    locked = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==(\S+)", lock, re.MULTILINE)
    unknown = 0
    for package, version in locked:
        try:
            licence = licence_of(package)
        except PackageNotFoundError:
            licence = "(not needed on this machine, so not looked at)"
        unknown += not licence
        sys.stdout.write(f"{package:<22} {version:<12} {licence or 'STATES NONE'}\n")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
