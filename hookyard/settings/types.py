"""How the text of one setting is read: lists, words, a port that Kubernetes may have set. Rule: pure."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode

DEFAULT_PORT: Final = 8000


def _split(value: object) -> object:
    """Read a comma-separated list; blanks around entries and empty entries do not count."""
    if isinstance(value, str):
        return tuple(entry.strip() for entry in value.split(",") if entry.strip())
    return value


def _not_kubernetes(value: object, instead: int = DEFAULT_PORT) -> object:
    """Pass over the ``tcp://10.0.0.1:80`` that Kubernetes injects for a Service named hookyard."""
    return instead if isinstance(value, str) and "://" in value else value


def _in_small_letters(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
Port = Annotated[int, BeforeValidator(_not_kubernetes)]
MetricsPort = Annotated[int, BeforeValidator(partial(_not_kubernetes, instead=0))]
Word = Annotated[str, BeforeValidator(_in_small_letters)]
