"""May a handler start now? Its policy may have it take turns, wait, or not run at all.

Redis decides for the whole fleet (``ledger.gates``); here stands what follows for the run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from hookyard.ledger.gates import LINE_SEPARATOR, Limit, Line, Verdict
from hookyard.redis.errors import is_redis_away
from hookyard.settings.source_names import DEFAULT_SOURCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hookyard.host.messages import HandlerInfo
    from hookyard.ledger.records import Record
    from worker.attempt import Wanted
    from worker.run_context import RunContext

_ASK_AGAIN_S: Final = 0.02
_ASK_AT_MOST: Final = 25
_AWAY_S: Final = 0.25

Answer = TypeVar("Answer")


class NotAdmitted(Exception):
    """A handler does not start now: not before ``until_ms``, or not at all where that is ``None``."""

    def __init__(self, reason: str, *, until_ms: int | None = None, is_superseded: bool = False) -> None:
        super().__init__(reason)
        self.until_ms = until_ms
        self.is_superseded = is_superseded


class RunLost(Exception):
    """The run is not this worker's any more."""


def line_of(info: HandlerInfo) -> str | None:
    """Return the line that the delivery at hand stands in for this handler, if there is one."""
    if info.gate is None or not (info.gate.has_key or info.gate.most) or info.key_fault:
        return None
    return f"{info.name}{LINE_SEPARATOR}{info.key or ''}"


class Admission:
    """Asks for one run of one delivery."""

    def __init__(self, context: RunContext, record: Record) -> None:
        self._context = context
        self._record = record

    async def enter(self, wanted: Sequence[Wanted]) -> None:
        """Have the delivery join the lines of its handlers."""
        lines = [
            Line(line, each.info.key or "", each.info.gate is not None and each.info.gate.is_latest)
            for each in wanted
            if (line := line_of(each.info)) is not None
        ]
        await self._insist(lambda: self._context.gates.enter(self._record.delivery.id, lines))

    async def ask(self, wanted: Wanted) -> None:
        """Return when the handler may start.

        :raises NotAdmitted: when it may not.
        :raises RunLost: when this worker may not.
        """
        info = wanted.info
        if info.key_fault is not None:
            raise NotAdmitted(info.key_fault)
        limit, verdict, until_ms = self._limit(info), Verdict.SOON, 0
        for _ in range(_ASK_AT_MOST):
            verdict, until_ms = await self._insist(
                lambda: self._context.gates.admit(self._record.delivery.id, self._record.token, limit)
            )
            if verdict is not Verdict.SOON:
                break
            await asyncio.sleep(_ASK_AGAIN_S)
        else:
            until_ms = self._context.redis_now_ms() + round(_ASK_AT_MOST * _ASK_AGAIN_S * 1000)
        if verdict is Verdict.GO:
            return
        if verdict is Verdict.LOST:
            raise RunLost
        if verdict is Verdict.SUPERSEDED:
            raise NotAdmitted(f"a newer delivery of {info.key} runs instead", is_superseded=True)
        if verdict is Verdict.TRIPPED:
            raise NotAdmitted(self._tripped(info))
        raise NotAdmitted(self._reason(info, verdict, until_ms), until_ms=until_ms)

    async def _insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until Redis answers; a worker that stops is cancelled meanwhile."""
        while True:
            try:
                return await ask()
            except Exception as exc:
                if not is_redis_away(exc):
                    raise
                self._context.outage.lost(exc)
                await asyncio.sleep(_AWAY_S)

    def _limit(self, info: HandlerInfo) -> Limit:
        gate = info.gate
        assert gate is not None  # noqa: S101 - for mypy; whoever asks has one
        about = self._about()
        return Limit(
            handler=info.name,
            line=line_of(info) or "",
            most=gate.most,
            is_latest=gate.is_latest,
            quiet_ms=round(gate.quiet_s * 1000),
            starts=gate.starts,
            per_ms=round(gate.per_s * 1000),
            loop=f"{info.name}{LINE_SEPARATOR}{about}" if gate.runs else "",
            runs=gate.runs,
            within_ms=round(gate.within_s * 1000),
        )

    def _about(self) -> str:
        """Return what the delivery is about, in which GitLab."""
        delivery = self._record.delivery
        about = f"{delivery.project or ''}{delivery.object or ''}"
        return about if delivery.source == DEFAULT_SOURCE else f"{delivery.source}:{about}"

    def _tripped(self, info: HandlerInfo) -> str:
        gate, about = info.gate, self._about()
        assert gate is not None  # noqa: S101 - as above
        return (
            f"it was started {gate.runs} times in {gate.within_s:g} s for {about or 'what has no object'}, "
            "which looks like a loop; it does not run for that until `hookyard breakers --lift`"
        )

    def _reason(self, info: HandlerInfo, verdict: Verdict, until_ms: int) -> str:
        gate = info.gate
        assert gate is not None  # noqa: S101 - as above
        if verdict in {Verdict.TURN, Verdict.SOON}:
            return f"waits for its turn{f' in {info.key}' if info.key else ''}, {gate.most} at once"
        if gate.is_latest and until_ms == self._record.delivery.received_ms + round(gate.quiet_s * 1000):
            return f"waits until nothing newer of {info.key} has come for {gate.quiet_s:g} s"
        return f"waits, since {gate.starts} were started in the last {gate.per_s:g} s"
