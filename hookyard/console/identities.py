"""Who may do what: people with passwords, programs with tokens, and their roles.

Settings hold hashes only: ``name:role:hash``, an argon2 hash for a person and the SHA-256 of a random token
for a program. A role with ``+bodies`` may read bodies as they were received; others read them redacted.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN_PREFIX: Final = "hyc_"  # noqa: S105 - what a token begins with, so that scanners can find leaked ones
_BODIES: Final = "+bodies"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_HASHER: Final = PasswordHasher()


class Role(IntEnum):
    """What somebody may do; each role may do what those below it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role as it is written."""
        return self.name.lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Somebody who is signed in; ``by``: ``password``, ``token`` or ``link``."""

    name: str
    role: Role
    reads_bodies: bool
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One person or program of the settings."""

    name: str
    role: Role
    reads_bodies: bool
    hashed: str


def parse_entry(text: str, *, is_token: bool) -> Entry:
    """Return the entry that *text* is.

    :raises ValueError: saying what is wrong, without the hash.
    """
    name, _, rest = text.partition(":")
    role, _, hashed = rest.partition(":")
    if not _NAME.fullmatch(name) or not hashed:
        raise ValueError("is not name:role:hash; `hookyard credentials` prints one")
    word = role.removesuffix(_BODIES)
    if word.upper() not in Role.__members__:
        roles = ", ".join(each.word for each in Role)
        raise ValueError(f"names the role {word!r}; the roles are {roles}, each also with {_BODIES}")
    if is_token and not _SHA256.fullmatch(hashed):
        raise ValueError("does not end in the SHA-256 of a token; `hookyard credentials --token` prints one")
    if not is_token and not hashed.startswith("$argon2"):
        raise ValueError("does not end in an argon2 hash; `hookyard credentials` prints one")
    return Entry(name=name, role=Role[word.upper()], reads_bodies=role.endswith(_BODIES), hashed=hashed)


def entry_text(name: str, role: str, hashed: str) -> str:
    """Return an entry as settings hold it."""
    return f"{name}:{role}:{hashed}"


def hash_password(password: str) -> str:
    """Return the argon2 hash of a password; takes some 50 ms."""
    return _HASHER.hash(password)


def make_token() -> tuple[str, str]:
    """Return a new token, and what settings hold of it."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    return token, hash_token(token)


def hash_token(token: str) -> str:
    """Return what settings hold of a token. It is random, so a fast hash does."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class Directory:
    """Everybody whom the settings name."""

    def __init__(self, users: Iterable[Entry], tokens: Iterable[Entry]) -> None:
        self._users = {entry.name: entry for entry in users}
        self._tokens = tuple(tokens)
        self._unknown = hash_password(secrets.token_urlsafe(9))

    def with_password(self, name: str, password: str) -> Identity | None:
        """Return whom *name* and *password* are; ``None`` when they do not fit. Takes some 50 ms.

        It takes as long for a name that nobody has.
        """
        entry = self._users.get(name)
        try:
            _HASHER.verify(entry.hashed if entry else self._unknown, password)
        except (VerificationError, InvalidHashError):
            return None
        return _identity(entry, "password") if entry else None

    def with_token(self, token: str) -> Identity | None:
        """Return whose *token* it is."""
        hashed = hash_token(token)
        fits = [entry for entry in self._tokens if hmac.compare_digest(entry.hashed, hashed)]
        return _identity(fits[0], "token") if fits else None

    def named(self, name: str) -> Identity | None:
        """Return who has signed in as *name* with a password, with the role that the settings give now."""
        entry = self._users.get(name)
        return _identity(entry, "password") if entry else None


def _identity(entry: Entry, by: str) -> Identity:
    return Identity(name=entry.name, role=entry.role, reads_bodies=entry.reads_bodies, by=by)
