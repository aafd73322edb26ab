"""What a bot may ask of Hookyard: resources, policies, waiting, tasks, schedules, the running delivery.

This is the only module of Hookyard's that a bot imports, and nothing in it needs the rest, so a
bot's own tests run without Redis:

    from hookyard import Bot, GiveUp, RetryAfter, Wait, policy, current_delivery

    bot = Bot()

    @bot.register("Issue Hook", action="open")
    @policy(timeout=10, max_attempts=3)
    async def greet(event, gl): ...

A bot that uses none of it, with a plain gidgetlab ``Router``, runs just as well.
"""

from __future__ import annotations

from hookyard.bot.current import CurrentDelivery, Enqueued, as_current, current_delivery
from hookyard.bot.policy import Policy, handler_name, policy, policy_of
from hookyard.bot.routing import Bot, Schedule, Task
from hookyard.bot.signals import GiveUp, RetryAfter, Wait

__all__ = [
    "Bot",
    "CurrentDelivery",
    "Enqueued",
    "GiveUp",
    "Policy",
    "RetryAfter",
    "Schedule",
    "Task",
    "Wait",
    "as_current",
    "current_delivery",
    "handler_name",
    "policy",
    "policy_of",
]
