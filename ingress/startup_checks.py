"""Checks at start, of what valid settings cannot guarantee: a secret is set, the spool can be written."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Final

from hookyard.settings.settings import ingress_faults
from ingress.spool.table import SpoolTable

if TYPE_CHECKING:
    from pathlib import Path

    from hookyard.settings.settings import Settings

_TRIAL_BYTES: Final = 1024 * 1024


def start_faults(settings: Settings) -> list[str]:
    """Return the faults, each with what to do about it."""
    faults = ingress_faults(settings)
    if settings.spool_dir is not None:
        fault = _spool_fault(settings.spool_dir, settings.spool_max_bytes)
        if fault:
            faults.append(
                f"HOOKYARD_SPOOL_DIR={settings.spool_dir}: {fault}; name a directory on a disk with room, "
                "or unset it to do without a spool"
            )
    return faults


def _spool_fault(directory: Path, max_bytes: int) -> str | None:
    """Return why the spool's disk cannot be written, ``None`` if it can."""
    table = SpoolTable(directory, max_bytes=max_bytes)
    trial = directory / f"trial-{os.getpid()}"
    try:
        table.open()
        try:
            with trial.open("wb") as written:
                written.write(bytes(_TRIAL_BYTES))
                written.flush()
                os.fsync(written.fileno())
        finally:
            trial.unlink(missing_ok=True)
    except OSError as exc:
        return exc.strerror or str(exc)
    except sqlite3.Error as exc:
        return str(exc)
    finally:
        table.close()
    return None
