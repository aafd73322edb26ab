"""Several GitLabs: the address and the secrets of each, such as ``GL_CORP_URL``.

``HOOKYARD_SOURCES=corp,com`` names them; what a single GitLab has as ``GL_URL`` and so on, each has for
itself, as a variable or a file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hookyard.settings.secret_files import SUFFIX, UnusableSecret, read_secret
from hookyard.settings.source_names import DEFAULT_SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pydantic import SecretStr

ADDRESS: Final = "GL_URL"
SECRETS: Final = ("GL_ACCESS_TOKEN", "GL_SECRET", "GL_SIGNING_TOKEN")
_NAME: Final = re.compile("[a-z][a-z0-9_]{0,30}")


def variable_of(source: str, variable: str) -> str:
    """Return the variable of one source: ``GL_CORP_SECRET`` for ``GL_SECRET``."""
    return variable.replace("GL_", f"GL_{source.upper()}_", 1)


def name_faults(names: Iterable[str], environment: Mapping[str, object]) -> list[str]:
    """Return what is wrong with the names of sources, and with secrets that belong to none."""
    listed = [*names]
    faults = [
        f"HOOKYARD_SOURCES={name}: a name is a-z, 0-9 and _, begins with a letter and is not default"
        for name in listed
        if not _NAME.fullmatch(name) or name == DEFAULT_SOURCE
    ]
    if len(set(listed)) < len(listed):
        faults.append("HOOKYARD_SOURCES names one of them twice")
    for variable in SECRETS if listed else ():
        if environment.get(variable) or environment.get(variable + SUFFIX):
            meant = variable_of(listed[0], variable)
            faults.append(
                f"{variable} belongs to no source: HOOKYARD_SOURCES is set, so name it {meant} or so"
            )
    return faults


def values_of(source: str, environment: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Return the values of one source by the variable of a single GitLab, and what is wrong with them."""
    faults: list[str] = []
    values: dict[str, object] = {"GL_ACCESS_TOKEN": None, "GL_SECRET": (), "GL_SIGNING_TOKEN": ()}
    address = variable_of(source, ADDRESS)
    values[ADDRESS] = environment.get(address)
    if not values[ADDRESS]:
        faults.append(f"{address} is not set: the address of the GitLab {source}")
        del values[ADDRESS]
    for variable in SECRETS:
        own = variable_of(source, variable)
        value, path = environment.get(own), environment.get(own + SUFFIX)
        if value and path:
            faults.append(f"{own}{SUFFIX} and {own} are both set: unset one of them")
        elif path:
            read = read_secret(Path(str(path)))
            if isinstance(read, UnusableSecret):
                faults.append(f"{own}{SUFFIX}={path}: {read.why}")
            else:
                values[variable] = read
        elif value:
            values[variable] = value
    return values, faults


def shared_secrets(secrets: Mapping[str, Iterable[SecretStr]]) -> Iterator[str]:
    """Yield the faults of secrets that two sources share: the secret decides where a webhook comes from."""
    seen: dict[str, str] = {}
    for source, held in secrets.items():
        for secret in {each.get_secret_value() for each in held}:
            if secret in seen:
                yield f"the sources {seen[secret]} and {source} have a secret in common; give each its own"
            seen[secret] = source


def read_sources(
    names: Iterable[str],
    environment: Mapping[str, object],
    read: Callable[[Mapping[str, object]], tuple[Any, Mapping[str, str]]],
) -> tuple[dict[str, Any], list[str]]:
    """Return the settings for each of several GitLabs, and every fault of them.

    :param read: returns settings with such values, and the fault of each variable.
    """
    faults = name_faults(names, environment)
    found: dict[str, Any] = {}
    for source in () if faults else names:
        values, wrong = values_of(source, environment)
        faults += wrong
        found[source], faulty = read(values)
        faults += [
            text.replace(name, variable_of(source, name))
            for name, text in faulty.items()
            if name in {ADDRESS, *SECRETS}
        ]
    faults += shared_secrets({name: (*one.secret_tokens, *one.signing_tokens) for name, one in found.items()})
    return found, faults


def unauthenticated(by_source: Mapping[str, Any], *, allow: bool) -> list[str]:
    """Return why webhooks of some of several GitLabs cannot be authenticated."""
    if allow:
        return [
            "HOOKYARD_ALLOW_UNAUTHENTICATED: with HOOKYARD_SOURCES a secret tells where a webhook is from"
        ]
    return [
        f"webhooks of {name} cannot be authenticated: set {variable_of(name, 'GL_SIGNING_TOKEN')} or "
        f"{variable_of(name, 'GL_SECRET')} to the webhook's token there"
        for name, one in by_source.items()
        if not one.secret_tokens and not one.signing_tokens
    ]
