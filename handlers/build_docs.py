"""Rebuilds the documentation after a push: stands for the slow action that a webhook must not wait for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gidgetlab.routing import Router

from hookyard import current_delivery, policy

if TYPE_CHECKING:
    from gidgetlab.abc import GitLabAPI
    from gidgetlab.sansio import Event

router = Router()

BUILD_S = 2.0


@router.register("Push Hook")
@policy(timeout=120, max_attempts=3)
async def build_docs(event: Event, gl: GitLabAPI) -> None:
    """Build what was pushed; a push without a body builds the default branch."""
    ref = event.data["ref"] if isinstance(event.data, dict) and "ref" in event.data else "the default branch"
    log = current_delivery().log
    log.info("docs build started", ref=ref)
    await asyncio.sleep(BUILD_S)  # the work itself, which this example does without
    log.info("docs build finished", ref=ref)
