"""The handlers that a bot registered, and those of them that an event has.

gidgetlab's ``Router.dispatch`` finds and runs in one go. Here every callback is registered a second
time in a router whose callbacks only note what was found, so the matching is gidgetlab's to the letter,
in its order. What it stumbles over (null or list ``object_attributes``, unhashable values, bodies that
are no object) is kept from it, so such an event simply matches less.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gidgetlab.routing import Router
from gidgetlab.sansio import Event

from hookyard import Bot, handler_name, policy_of
from hookyard.host.event_key import caused_by, key_of, template_fault, within
from hookyard.host.lint import registration_faults, source_faults
from hookyard.host.messages import Gate, HandlerInfo, ScheduleInfo
from hookyard.host.ticks import schedule_fault
from hookyard.settings.source_names import DEFAULT_SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from hookyard import Policy

    Call = Callable[..., Any]


class Registry:
    """A bot's handlers as its gidgetlab router had them when this was made.

    ``calls`` and ``infos`` hold each handler once, in the order of registration.
    """

    def __init__(self, router: Router) -> None:
        self.calls: list[Call] = []
        self._places: dict[Hashable, int] = {}
        self._matching = _Matching(router, self._add)
        self.infos = tuple(_info(call) for call in self.calls)
        self.schedules = tuple(
            ScheduleInfo(each.name, each.event, each.cron, each.timezone, each.catch_up)
            for each in (router.schedules if isinstance(router, Bot) else ())
        )
        self.own_ids: dict[str, int] = {}
        self._policies = [policy_of(call) for call in self.calls]
        self._keys = [policy.key for policy in self._policies]
        self.is_keyed = any(key is not None for key in self._keys)
        self._has_resources = isinstance(router, Bot) and bool(router.lifespans)

    def _add(self, call: Call) -> int:
        same = call if _is_hashable(call) else id(call)  # two accesses of a bound method are equal
        place = self._places.get(same)
        if place is None:
            place = self._places[same] = len(self.calls)
            self.calls.append(call)
        return place

    def find(self, event: Event, source: str = DEFAULT_SOURCE) -> tuple[int, ...]:
        """Return the places of *event*'s handlers in the order in which gidgetlab would call them.

        A handler that is registered twice for the same event is there twice, as gidgetlab calls it.
        """
        found: list[int] = []
        # nothing that it awaits ever waits, so one step takes it to its end
        finding = self._matching.dispatch(_Matchable(event.data, event=event.event), found)
        with contextlib.suppress(StopIteration):
            finding.send(None)
        if self.own_ids and caused_by(event) == self.own_ids[source]:
            found = [place for place in found if not self._policies[place].skips_own]
        return tuple(found)

    @property
    def skips_own(self) -> bool:
        """Whether any handler leaves out what the bot's own account caused: ``own_ids`` are to be set."""
        return any(policy.skips_own for policy in self._policies)

    def event_keys(
        self, event: Event, places: Sequence[int], source: str = DEFAULT_SOURCE
    ) -> tuple[tuple[str | None, str | None], ...]:
        """Return the key of *event* for each handler, or why it has none; empty where none wants one."""
        if all(self._keys[place] is None for place in places):
            return ()
        wanted = [self._keys[place] for place in places]
        found = ((None, None) if key is None else key_of(key, event) for key in wanted)
        return tuple((within(source, key) if key is not None else None, fault) for key, fault in found)

    def faults(self) -> tuple[str, ...]:
        """Return what keeps these handlers from being run: names that two share, and wrong signatures."""
        faults = []
        names: dict[str, Call] = {}
        for call, info in zip(self.calls, self.infos, strict=True):
            if info.name in names:
                faults.append(
                    f"two handlers are named {info.name} ({_defined(names[info.name])}, {_defined(call)}): "
                    "their outcomes could not be told apart; name each with @policy(name=…)"
                )
            names[info.name] = call
            fault = _signature_fault(call, None if self._has_resources else {})
            key = policy_of(call).key
            fault = fault or (template_fault(key) if isinstance(key, str) else None)
            if fault:
                faults.append(f"{info.name} ({_defined(call)}): {fault}")
        faults += [f"{each.name}: {fault}" for each in self.schedules if (fault := schedule_fault(each))]
        return tuple(faults)

    @property
    def events(self) -> tuple[str, ...]:
        """The events that there are handlers for."""
        return tuple(dict.fromkeys(event for _, event, _ in self._matching.registrations))

    def warnings(self) -> Iterator[str]:
        """Yield what looks wrong, although the handlers can be run."""
        for call, info in zip(self.calls, self.infos, strict=True):
            for text in source_faults(call):
                yield f"{info.name}: {text}"
        for place, event, attributes in self._matching.registrations:
            for text in registration_faults(event, attributes):
                yield f"{self.infos[place].name}: {text}"

    def equip(self, resources: Mapping[str, Any]) -> tuple[str, ...]:
        """Give each handler the *resources* that it names; return what keeps any from being run."""
        faults = []
        for place, call in enumerate(self.calls):
            fault = _signature_fault(call, resources)
            if fault:
                yields = ", ".join(sorted(resources)) or "nothing"
                name = self.infos[place].name
                faults.append(f"{name} ({_defined(call)}): {fault}; the bot's lifespan yields {yields}")
            elif given := _named(call, resources):
                self.calls[place] = functools.partial(call, **given)
        return tuple(faults)


class _Matching(Router):
    """A router whose callbacks put the place of the callback they replace into the list they get."""

    def __init__(self, router: Router, place_of: Callable[[Call], int]) -> None:
        self._place_of = place_of
        self.registrations: list[tuple[int, str, dict[str, Hashable]]] = []
        super().__init__(router)

    def add(self, func: Call, event_type: str, **object_attribute: Hashable) -> None:
        """Register a callback that notes *func*; gidgetlab's constructor comes through here as well."""
        place = self._place_of(func)
        self.registrations.append((place, event_type, object_attribute))

        async def note(_event: Event, found: list[int]) -> None:
            found.append(place)

        super().add(note, event_type, **object_attribute)


class _Matchable(Event):
    """An event that gidgetlab's matching copes with."""

    @cached_property
    def object_attributes(self) -> dict[str, Any]:
        """The attributes that can be compared; none where the body has none."""
        attributes = self.data.get("object_attributes") if isinstance(self.data, dict) else None
        if not isinstance(attributes, dict):
            return {}
        return {key: value for key, value in attributes.items() if _is_hashable(value)}


def is_plain(call: Call) -> bool:
    """Return whether *call* is no coroutine function, so that it has to run in a thread."""
    call = _function(call)
    return not (
        inspect.iscoroutinefunction(call)
        or inspect.iscoroutinefunction(getattr(type(call), "__call__", None))  # noqa: B004 - an object's
    )


def _info(call: Call) -> HandlerInfo:
    policy = policy_of(call)
    return HandlerInfo(
        name=handler_name(call),
        is_plain=is_plain(call),
        timeout_s=policy.timeout_s,
        max_attempts=policy.max_attempts,
        backoff_s=policy.backoff_s,
        wait_at_most_s=policy.wait_at_most_s,
        gate=_gate(policy),
    )


def _gate(policy: Policy) -> Gate | None:
    starts, per_s = policy.rate or (0, 0.0)
    runs, within_s = policy.chain or (0, 0.0)
    gate = Gate(
        has_key=policy.key is not None,
        most=policy.concurrency or 0,
        is_latest=policy.latest,
        quiet_s=policy.debounce_s,
        is_strict=policy.is_strict,
        delay_s=policy.delay_s,
        starts=starts,
        per_s=per_s,
        runs=runs,
        within_s=within_s,
    )
    return None if gate == Gate() else gate


def _signature_fault(call: Call, resources: Mapping[str, Any] | None) -> str | None:
    """Return why *call* cannot be a handler that is given *resources*, with what to do.

    :param resources: ``None`` while they are not known.
    """
    function = _function(call)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "it contains yield, so calling it would not run its body; return or await instead"
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):
        return None  # built in, or an object that hides it: found out when it is called
    try:
        further = _further(signature) if resources is None else _named(call, resources)
        signature.bind(object(), object(), **further)
    except TypeError as exc:
        return f"it cannot be called as handler(event, gl): {exc}"
    return None


def _named(call: Call, resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return those *resources* that *call* names beside event and client, or all where it takes any."""
    if not resources:
        return {}
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):
        return {}
    further = _further(signature)
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in signature.parameters.values()):
        taken = set(signature.parameters) - set(further)
        return {name: value for name, value in resources.items() if name not in taken}
    return {name: value for name, value in resources.items() if name in further}


def _further(signature: inspect.Signature) -> dict[str, Any]:
    """Return the parameters that can be given by name, after the first two, which are event and client."""
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    first_two = [name for name, each in signature.parameters.items() if each.kind in by_place][:2]
    return {
        name: None
        for name, each in signature.parameters.items()
        if each.kind in by_name and name not in first_two
    }


def _function(call: Call) -> Call:
    while isinstance(call, functools.partial):
        call = call.func
    return call


def _defined(call: Call) -> str:
    """Return where *call* was written."""
    code = getattr(inspect.unwrap(_function(call)), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(call)


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
