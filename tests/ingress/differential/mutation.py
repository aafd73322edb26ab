"""Requests of the table, mutated at random: whole and cut, the same must come of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.ingress.differential.table import TABLE

if TYPE_CHECKING:
    import random

    from tests.ingress.differential.connecting import Outcome, Server

_MOST_BYTES: Final = 2000
_SNIPPETS: Final = (
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"0\r\n\r\n",
    b"8\r\n",
    b"Content-Length: 8\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"X-Gitlab-Token: right\r\n",
    b"GET /health HTTP/1.1\r\n\r\n",
    b"HTTP/1.1",
    b"\xff",
)


def mutate(chance: random.Random) -> bytes:
    """Return a request of the table with one to four changes."""
    data = chance.choice(TABLE).data
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        upto = min(len(data), at + chance.choice((1, 1, 2, 8, 40)))
        match chance.randrange(6):
            case 0:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[upto:]
            case 2:
                data = data[:at] + chance.choice(_SNIPPETS) + data[at:]
            case 3:
                data = data[:at] + data[at:upto] * 2 + data[upto:]
            case 4:
                data = data[:at] + chance.choice(TABLE).data[at:]
            case _:
                data += chance.choice(TABLE).data
        data = data[:_MOST_BYTES]
    return data


def _are_alike(one: Outcome, other: Outcome) -> bool:
    """Return whether nothing differs but how far a request with a fault in its body was answered.

    What its head asks for may be answered or refused before the fault has arrived.
    """
    if one == other:
        return True
    ends = (one.statuses[-1:], other.statuses[-1:])
    is_refused = all(end and 400 <= end[0] < 500 for end in ends)
    return is_refused and one.is_closed and other.is_closed and one.kept == other.kept


def announces_nothing(data: bytes) -> bool:
    """Return whether a request in *data* may announce an empty body: by its length or its first chunk."""
    length_of_nothing = rb"(?i)content-length:[ \t]*0+[ \t]*\r?\n"
    no_chunks = rb"(?i)transfer-encoding:[^\0]*\n\r?\n0+[ \t]*[;\r\n]"
    return bool(re.search(length_of_nothing, data) or re.search(no_chunks, data))


async def find_fault(server: Server, data: bytes, chance: random.Random) -> str | None:
    """Return what is wrong with what comes of *data*, if anything."""
    whole = await server.connect([data])
    places = range(1, len(data))
    cuts = sorted(chance.sample(places, min(len(places), chance.randint(1, 4))))
    cut = await server.connect([data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)])
    if not _are_alike(cut, whole):
        return f"cut at {cuts} it is {cut}, whole {whole}"
    if whole.statuses.count(202) != len(whole.kept):
        return f"accepted and kept differ: {whole}"
    if not announces_nothing(data) and not all(body for _, _, body in whole.kept):
        return f"an empty body was kept that was not announced so: {whole}"
    if any(status >= 500 for status in whole.statuses):
        return f"a fault of ours: {whole}"
    return None
