"""Say in one line why a REST call failed."""

from __future__ import annotations

import httpx
from gidgetlab.exceptions import HTTPException


def why_it_failed(exc: Exception, *, gitlab_url: str) -> str:
    """Return one line: the status and GitLab's message, or why nothing was answered."""
    if isinstance(exc, HTTPException):
        status = getattr(exc, "status_code", None)
        said = " ".join(str(arg) for arg in exc.args if arg) or type(exc).__name__
        number = str(int(status)) if status is not None else ""
        return f"GitLab at {gitlab_url} answered {said if said.startswith(number) else f'{number} {said}'}"
    if isinstance(exc, httpx.TransportError):
        return f"GitLab at {gitlab_url} does not answer: {str(exc) or type(exc).__name__}. Is GL_URL right?"
    return f"The answer of GitLab at {gitlab_url} cannot be read: {type(exc).__name__}: {exc}"
