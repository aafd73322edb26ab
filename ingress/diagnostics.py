"""Diagnostics that only an ingress's machine can give, as JSON for ``hookyard check``.

They look at the spool on this machine, also when no ingress runs, and change nothing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

from hookyard.settings.settings import load_or_exit
from ingress.spool.database import FILE

if TYPE_CHECKING:
    from pathlib import Path


def spool_report(directory: Path | None) -> dict[str, Any]:
    """Return how much waits in the spool, and how much was set aside as damaged."""
    report: dict[str, Any] = {
        "directory": None if directory is None else str(directory),
        "error": None,
        "waiting": 0,
        "damaged": [],
    }
    if directory is None:
        return report
    try:
        report["damaged"] = sorted(
            path.name
            for path in directory.glob(f"{FILE}.damaged-*")
            if not path.name.endswith(("-wal", "-shm"))
        )
        if (directory / FILE).exists():
            # not through SpoolTable, which repairs what it opens
            with contextlib.closing(sqlite3.connect(_read_only(directory / FILE), uri=True)) as database:
                (report["waiting"],) = database.execute("SELECT COUNT(*) FROM spooled").fetchone()
                (set_aside,) = database.execute("SELECT COUNT(*) FROM set_aside").fetchone()
                report["damaged"] += [f"{set_aside} in {FILE}"] if set_aside else []
    except (OSError, sqlite3.Error) as exc:
        report["error"] = str(exc)
    return report


def _read_only(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


def main() -> int:
    """Print the report as one JSON object and return the exit code."""
    settings = load_or_exit()
    json.dump(spool_report(settings.spool_dir), sys.stdout)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
