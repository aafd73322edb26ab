"""Under which settings a Hookyard runs in tests: the defaults, but with waits that a test can sit out."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from hookyard.settings.settings import Settings, SettingsError, load, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_TOKEN: Final = "tests-only"  # noqa: S105 - it guards nothing
SIGNING_TOKEN: Final = "whsec_" + 43 * "A" + "="

_OF_TESTS: Final[Mapping[str, object]] = {
    "GL_SECRET": SECRET_TOKEN,
    "GL_SIGNING_TOKEN": SIGNING_TOKEN,
    "GL_ACCESS_TOKEN": "glpat-tests-only",
    "HOOKYARD_BACKOFF_S": 0.02,
    "HOOKYARD_MAX_BACKOFF_S": 0.1,
    "HOOKYARD_HANDLER_TIMEOUT_S": 5.0,
    "HOOKYARD_DRAIN_S": 0.0,
}


def settings_for_tests(redis_url: str, gitlab_url: str, given: Mapping[str, object]) -> Settings:
    """Return the settings: *given* ones (by environment variable), else the tests', else the defaults.

    The environment does not count: tests give the same on every machine, and no production token gets in.

    :raises SettingsError: for values that cannot be used, and for names that no setting has.
    """
    defaults = {variable(name): field.default for name, field in Settings.model_fields.items()}
    if unknown := [_unknown(name, defaults) for name in given if name not in defaults]:
        raise SettingsError(unknown)
    places = {
        "REDIS_URL": redis_url,
        "HOOKYARD_PREFIX": f"test-{uuid4().hex}",  # every test has a ledger of its own
        "GL_URL": gitlab_url,
    }
    return load(**{**defaults, **_OF_TESTS, **places, **given})


def _unknown(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")
