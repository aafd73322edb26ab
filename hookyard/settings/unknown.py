"""Variables of the environment that look like settings and are none."""

from __future__ import annotations

import difflib
import os
import re
from typing import Final

from hookyard.settings.settings import Settings, variable

_FORMER_NAMES: Final = {
    "HOOKYARD_TRIES": "HOOKYARD_MAX_ATTEMPTS",
    "HOOKYARD_RETRIES": "HOOKYARD_MAX_ATTEMPTS",
    "HOOKYARD_RETRY_BASE_S": "HOOKYARD_BACKOFF_S",
    "HOOKYARD_RETRY_MAX_S": "HOOKYARD_MAX_BACKOFF_S",
    "HOOKYARD_MAX_DEATHS": "HOOKYARD_MAX_CRASHES",
}

_KUBERNETES_INJECTS: Final = re.compile(r"HOOKYARD_(SERVICE_|PORT(_|$)|.*_SERVICE_(HOST|PORT)|.*_PORT(_|$))")


def unknown_variables() -> list[str]:
    """Return warnings about ``HOOKYARD_…`` variables in the environment that no setting reads.

    Variables that Kubernetes injects for a Service named hookyard are ignored.
    """
    known = {variable(field) for field in Settings.model_fields}
    warnings = []
    for name in sorted(os.environ):
        if name.startswith("HOOKYARD_") and name not in known and not _KUBERNETES_INJECTS.match(name):
            near = (
                [_FORMER_NAMES[name]]
                if name in _FORMER_NAMES
                else difflib.get_close_matches(name, known, n=1)
            )
            warnings.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
    return warnings
