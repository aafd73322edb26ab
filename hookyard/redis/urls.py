"""Redis URLs: which ones are accepted, their parts, and how they are shown without a password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlsplit

import redis.asyncio
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTINEL_SCHEME: Final = "redis+sentinel://"
_ADDRESS: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?"
)
_OPTION: Final = re.compile(r"(?P<name>[^?&=]+)=(?P<value>[^&]*)")
_HIGHEST_PORT: Final = 65535
_ENCODE: Final = "; write / as %2F, # as %23, ? as %3F and @ as %40 in a password"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentinels:
    """The parts of a ``redis+sentinel://`` URL."""

    addresses: tuple[tuple[str, int], ...]
    master: str
    db: int
    username: str | None
    password: str | None


def check_url(url: str) -> None:
    """Check that *url* can be opened.

    :raises ValueError: with what is wrong, without quoting *url*: any part may belong to a password.
    """
    if url.startswith(SENTINEL_SCHEME):
        parse_sentinel_url(url)
        return
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("it must begin with redis://, rediss://, unix:// or redis+sentinel://")
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise ValueError
    except ValueError:
        raise ValueError(f"its host or port cannot be read{_ENCODE}") from None
    wrong = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if not _may_be_in_url(name)]
    if wrong or parts.fragment:
        raise ValueError(f"its options may be db, username, password, client_name and ssl_…{_ENCODE}")
    if parts.scheme == "unix" and (parts.hostname or not parts.path.strip("/")):
        raise ValueError("it must be unix:///path/of/the/socket")
    if parts.scheme != "unix" and not parts.hostname:
        raise ValueError(f"it names no host{_ENCODE}")
    if parts.scheme != "unix" and not (parts.path.removesuffix("/").removeprefix("/") or "0").isdigit():
        raise ValueError(f"its path must be the number of a database{_ENCODE}")
    try:
        redis.asyncio.ConnectionPool.from_url(url).make_connection()
    except (ValueError, TypeError, RedisError):
        raise ValueError("one of its options cannot be used, or not with this kind of URL") from None


def _may_be_in_url(option: str) -> bool:
    """Return whether *option* may be set by the URL; timeouts and the decoding of answers are set here."""
    return option in {"db", "username", "password", "client_name"} or option.startswith("ssl_")


def parse_sentinel_url(url: str) -> Sentinels:
    """Read ``redis+sentinel://[user:password@]host:port,host:port/master[/db]``.

    The password is that of Redis; sentinels are asked without one.

    :raises ValueError: with what is wrong, without quoting *url*.
    """
    place, _, path = url.removeprefix(SENTINEL_SCHEME).partition("/")
    credentials, _, hosts = place.rpartition("@")
    username, _, password = credentials.partition(":")
    addresses = []
    for address in filter(None, hosts.split(",")):
        found = _ADDRESS.fullmatch(address)
        port = int(found["port"] or 26379) if found else 0
        if not found or not 0 < port <= _HIGHEST_PORT:
            raise ValueError(f"one of its addresses is not host:port{_ENCODE}")
        addresses.append((found["ipv6"] or found["name"], port))
    master, _, db = path.partition("/")
    if not addresses or not master or not (db or "0").isdigit():
        raise ValueError(f"it must be redis+sentinel://host:port,host:port/master/db{_ENCODE}")
    return Sentinels(
        addresses=tuple(addresses),
        master=master,
        db=int(db or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
    )


def masked(url: str) -> str:
    """Return *url* with its password replaced, for logs and messages; *url* need not be valid."""
    scheme, sep, rest = url.partition("://") if "://" in url else ("", "", url)
    credentials, at, place = rest.rpartition("@")
    if at and not (scheme == "unix" and rest.startswith("/")):
        user, colon, _ = credentials.partition(":")
        rest = f"{user if colon else ''}{colon}***@{place}"
    return scheme + sep + _OPTION.sub(_masked_option, rest)


def _masked_option(found: re.Match[str]) -> str:
    return f"{found['name']}=***" if _is_password(found["name"]) else found[0]


def _is_password(name: str) -> bool:
    """Return whether an option is a password, however its name is written (``pass%77ord``)."""
    return "password" in unquote_plus(name).lower()


def _cut(url: str) -> tuple[str, str, str]:
    """Split *url* into what precedes the credentials, the credentials, and what follows them."""
    scheme, _, rest = url.partition("://")
    if rest.startswith("/"):  # the path of a socket, which may hold an @
        return f"{scheme}://", "", rest
    credentials, _, place = rest.rpartition("@")
    return f"{scheme}://", credentials, place


def passwords(url: str) -> Iterator[str]:
    """Yield the passwords in *url*, as they are and as it spells them."""
    spelled = [_cut(url)[1].partition(":")[2]]
    spelled += [found["value"] for found in _OPTION.finditer(url) if _is_password(found["name"])]
    for text in filter(None, spelled):
        yield text
        yield unquote(text)
        yield unquote_plus(text)


def has_password(url: str) -> bool:
    """Return whether *url* holds a password, in either of the two places for one."""
    return ":" in _cut(url)[1] or any(
        _is_password(found["name"]) and found["value"] for found in _OPTION.finditer(url)
    )


def with_password(url: str, password: str) -> str:
    """Return *url*, which holds none, with *password*."""
    scheme, user, place = _cut(url)
    return f"{scheme}{user}:{quote(password, safe='')}@{place}"
