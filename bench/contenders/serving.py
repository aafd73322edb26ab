"""How every HTTP contender is served: uvicorn as Hookyard's ingress has it, one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from bench.contenders.given import PORT

if TYPE_CHECKING:
    from starlette.applications import Starlette


def serve(app: Starlette) -> None:
    """Serve *app* until a signal ends it."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=PORT,
        loop="uvloop",
        http="httptools",
        access_log=False,
        server_header=False,
        log_level="warning",
    )
