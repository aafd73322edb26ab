"""Replace the hosts when a file of the bot's changes: for development, ``hookyard up --reload``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hookyard.telemetry import logs

if TYPE_CHECKING:
    from worker.hosts.pool import HostPool

log = logs.get_logger("worker")

IS_INSTALLED: Final = find_spec("watchfiles") is not None
NEEDED: Final = "HOOKYARD_RELOAD needs watchfiles: pip install watchfiles, which hookyard[test] includes."


async def keep_reloading(pool: HostPool) -> None:
    """Watch the current directory until cancelled; what runs in a host goes on to its end there."""
    if not IS_INSTALLED:
        log.error(NEEDED)
        return
    from watchfiles import PythonFilter, awatch  # noqa: PLC0415 - for development only

    here = Path.cwd()
    log.info("watching for changes", directory=str(here))
    async for changes in awatch(here, watch_filter=PythonFilter()):
        files = sorted({str(Path(path).relative_to(here)) for _, path in changes})
        log.info("the bot has changed: its hosts are replaced", files=files[:5])
        pool.reload()
