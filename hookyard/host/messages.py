"""Messages between a worker's supervisor and its hosts, and their framing. Pure.

The supervisor sends orders and a host sends reports. A frame is four bytes of length (little-endian)
and that many bytes of msgpack: an array of messages, so that everything said in one turn of the loop
travels together. Both ends come from one installation; :data:`VERSION` guards against a host that was
replaced by a newer one on disk while its supervisor lives on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 5

MAX_FRAME_BYTES: Final = 1024**3
"""Above every body that settings allow; a longer frame is a damaged stream."""

_LENGTH_BYTES: Final = 4


class Open(Struct, tag=1, array_like=True, frozen=True, gc=False):
    """Rebuild a delivery's event and say which handlers want it; answered by :class:`Opened`.

    ``run`` is the supervisor's own number for this pass of the delivery. With ``start_by`` the first
    handler is started too, as its first attempt, unless it is a plain function: most deliveries have one
    handler and one run, and are then served in one exchange. See :class:`Invoke` for what it means.
    """

    run: int
    delivery_id: str
    event: str
    content_type: str | None
    body: bytes
    received_ms: int
    event_uuid: str | None
    start_by: float | None = None
    parent: str | None = None
    source: str = "default"
    redacted: bool = False


class Invoke(Struct, tag=2, array_like=True, frozen=True, gc=False):
    """Run one handler of an opened run; answered by :class:`Ended` or :class:`NotStarted`.

    ``place`` is the handler's in :class:`Opened`; ``start_by`` the time on the machine's boot clock, in
    seconds, after which it must not start, since the delivery's lease may be another worker's by then.
    """

    run: int
    place: int
    attempt: int
    start_by: float


class Cancel(Struct, tag=3, array_like=True, frozen=True, gc=False):
    """Cancel the handler of this run; its :class:`Ended` follows."""

    run: int


class Close(Struct, tag=4, array_like=True, frozen=True, gc=False):
    """Forget a run."""

    run: int


class Ping(Struct, tag=5, array_like=True, frozen=True, gc=False):
    """Answer with :class:`Pong`, to show that the host's loop gets round."""

    number: int


class Stop(Struct, tag=6, array_like=True, frozen=True, gc=False):
    """Close the bot's clients and end. Nothing runs any more."""


Order = Open | Invoke | Cancel | Close | Ping | Stop


class Gate(Struct, array_like=True, frozen=True, gc=False):
    """What limits a handler in the whole fleet; zero stands for no limit. Times in seconds.

    ``most``: attempts at once, of one key where ``has_key``. ``is_latest``, ``quiet_s``: only the newest
    delivery of a key, once no newer one has come for so long. ``is_strict``: a failure holds up what comes
    after it. ``delay_s``: the first attempt's, from the receipt. ``starts`` in ``per_s``; ``runs`` for one
    object in ``within_s``.
    """

    has_key: bool = False
    most: int = 0
    is_latest: bool = False
    quiet_s: float = 0.0
    is_strict: bool = False
    delay_s: float = 0.0
    starts: int = 0
    per_s: float = 0.0
    runs: int = 0
    within_s: float = 0.0


class HandlerInfo(Struct, array_like=True, frozen=True, gc=False):
    """A handler as its host has it. ``None`` stands for the worker's own setting.

    ``is_plain``: a plain ``def``, which runs in a thread. ``key`` is that of the delivery at hand, and
    ``key_fault`` why it has none.
    """

    name: str
    is_plain: bool = False
    timeout_s: float | None = None
    max_attempts: int | None = None
    backoff_s: float | None = None
    wait_at_most_s: float | None = None
    gate: Gate | None = None
    key: str | None = None
    key_fault: str | None = None


class ScheduleInfo(Struct, array_like=True, frozen=True, gc=False):
    """When a handler wants an event of its own; see ``hookyard.Bot.schedule``."""

    name: str
    event: str
    cron: str
    timezone: str
    catch_up: bool


class Ready(Struct, tag=1, array_like=True, frozen=True, gc=False):
    """The bot is imported. ``handlers`` are all that it registered, by place in reports, for ``events``.

    ``warnings``: what looks wrong in it, although it can be run.
    """

    version: int
    handlers: tuple[HandlerInfo, ...]
    schedules: tuple[ScheduleInfo, ...] = ()
    events: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Unusable(Struct, tag=2, array_like=True, frozen=True, gc=False):
    """The bot cannot be used; ``faults`` say what to do. The host ends.

    ``may_pass``: it is worth trying again, since the bot waits for something else.
    """

    faults: tuple[str, ...]
    may_pass: bool = False


class Opened(Struct, tag=3, array_like=True, frozen=True, gc=False):
    """The handlers that want the event, by their places in :class:`Ready`, in the order to run them.

    ``error``: the event could not be rebuilt. ``started``: the first of them is under way, and its
    :class:`Ended` or :class:`NotStarted` follows. ``keys``: the handlers' keys in this event and, where one
    has none, why; empty where no handler wants one.
    """

    run: int
    handlers: tuple[int, ...] = ()
    error: str | None = None
    started: bool = False
    keys: tuple[tuple[str | None, str | None], ...] = ()


class FollowUp(Struct, array_like=True, frozen=True, gc=False):
    """A task that a handler enqueued. ``body`` is JSON; ``once``: not again under this name."""

    event: str
    body: bytes
    delay_s: float
    once: str | None


class Ended(Struct, tag=4, array_like=True, frozen=True, gc=False):
    """An attempt has ended. ``outcome`` is one of ``ledger.records.Outcome``.

    ``again_s``: run it again after so many seconds, ``None`` when this was the last attempt. ``wake_on``: or
    when a delivery with this key comes. ``result``: what the handler returned, as JSON. ``enqueued``: what
    it wants done.
    """

    run: int
    outcome: str
    took_ms: int
    again_s: float | None = None
    error: str | None = None
    traceback: str | None = None
    wake_on: str | None = None
    result: str | None = None
    enqueued: tuple[FollowUp, ...] = ()


class NotStarted(Struct, tag=5, array_like=True, frozen=True, gc=False):
    """The handler was not started: ``start_by`` had passed."""

    run: int


class Called(Struct, tag=6, array_like=True, frozen=True, gc=False):
    """A handler made a REST call; ``status`` is ``None`` when GitLab did not answer."""

    method: str
    status: int | None
    seconds: float
    limit: str = ""
    remaining: str = ""


class Blocked(Struct, tag=7, array_like=True, frozen=True, gc=False):
    """A handler kept the host's loop from running for so long."""

    run: int
    handler: str
    seconds: float


class Pong(Struct, tag=8, array_like=True, frozen=True, gc=False):
    """The answer to :class:`Ping`."""

    number: int


Report = Ready | Unusable | Opened | Ended | NotStarted | Called | Blocked | Pong

_encode: Final = msgspec.msgpack.Encoder().encode
read_orders: Final = msgspec.msgpack.Decoder(list[Order]).decode
read_reports: Final = msgspec.msgpack.Decoder(list[Report]).decode


def frame(messages: Iterable[Order | Report]) -> bytes:
    """Return *messages* as one frame."""
    wanted = list(messages)
    try:
        packed = _encode(wanted)
    except UnicodeEncodeError:  # half a surrogate pair in one of them must not lose the others
        packed = _encode(_escaped(wanted))
    return len(packed).to_bytes(_LENGTH_BYTES, "little") + packed


def _escaped(value: Any) -> Any:
    """Return *value* with what UTF-8 cannot hold written as its escape."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Struct):
        return type(value)(*(_escaped(getattr(value, name)) for name in value.__struct_fields__))
    if isinstance(value, (list, tuple)):
        return type(value)(map(_escaped, value))
    return value


class FrameReader:
    """Splits a stream of bytes into the payloads of its frames."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []  # pieces of a frame that is not complete
        self._missing = 0

    def feed(self, data: bytes) -> list[memoryview]:
        """Return the payloads that *data* completes.

        :raises ValueError: for a length that no frame has.
        """
        if self._begun:
            self._begun.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []  # joined once, when all of it is here
            data = b"".join(self._begun)
            self._begun.clear()
        payloads, view, at, end = [], memoryview(data), 0, len(data)
        while at < end:
            length = int.from_bytes(view[at : at + _LENGTH_BYTES], "little")
            if length > MAX_FRAME_BYTES:
                message = f"a frame of {length} bytes"
                raise ValueError(message)
            upto = at + _LENGTH_BYTES + length
            if upto > end or end - at < _LENGTH_BYTES:
                self._begun.append(data[at:])
                self._missing = max(upto, at + _LENGTH_BYTES) - end
                break
            payloads.append(view[at + _LENGTH_BYTES : upto])
            at = upto
        return payloads
