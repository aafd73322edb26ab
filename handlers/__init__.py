"""THE BOT: one module per behaviour, each with its own router; this is the whole list.

An example of a bot, and the one that ``HOOKYARD_HANDLERS`` means unless it says otherwise.
Handlers may be run again after a crash, so a second run must do no harm.
"""

from gidgetlab.routing import Router

from handlers import build_docs, greet_reporter, review_checklist

router = Router(
    greet_reporter.router,
    build_docs.router,
    review_checklist.router,
)
