"""Soft limits: who is expired first, not when."""

from __future__ import annotations

import asyncio
import time

from hookyard.host.deadlines import Deadlines
from tests.fakes import until


class Expired(list[str]):
    """Notes in which order keys expired."""

    def note(self, key):
        """Return what notes *key*."""
        return lambda: self.append(key)


async def test_keys_expire_in_the_order_of_their_limits_and_again_until_cleared():
    deadlines, expired = Deadlines(), Expired()
    for key, seconds in (("late", 0.2), ("soon", 0.01), ("never", 60), ("cleared", 0.1)):
        deadlines.set(key, seconds, expired.note(key))
    deadlines.clear("cleared")
    await until(lambda: "late" in expired)
    deadlines.clear("late")
    assert expired == ["soon", "late"]
    await until(lambda: len(expired) == 3)  # it did not heed the first
    assert expired == ["soon", "late", "soon"]


async def test_who_blocks_the_loop_pays_for_it_and_the_others_do_not():
    deadlines, expired = Deadlines(), Expired()
    deadlines.set("beside", 0.5, expired.note("beside"))
    deadlines.set("blocks", 0.7, expired.note("blocks"))
    await asyncio.sleep(0)
    time.sleep(0.7)  # noqa: ASYNC251 - what this is about
    deadlines.charge("blocks", 0.7)
    await until(lambda: len(expired) == 2)
    assert expired == ["blocks", "beside"]


async def test_what_nobody_else_was_held_up_by_is_charged_to_nobody():
    deadlines, expired = Deadlines(), Expired()
    deadlines.set("first", 0.4, expired.note("first"))
    deadlines.set("second", 0.5, expired.note("second"))
    deadlines.charge("second", 0.3)  # the loop got round meanwhile
    await until(lambda: len(expired) == 2)
    assert expired == ["first", "second"]
