"""Run a slow job at a third party after a push, and wait for its callback."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
from gidgetlab.abc import GitLabAPI
from gidgetlab.routing import Router
from gidgetlab.sansio import Event

from hookyard import current_delivery, policy

JOBS_URL = os.environ.get("JOBS_URL", "http://127.0.0.1:8003/api/endpoint")
CALLBACK_PORT = int(os.environ.get("CALLBACK_PORT", "9000"))
STATUS = "slow-job"

router = Router()


@router.register("Push Hook")
@policy(timeout=600, max_attempts=3)
async def run_job(event: Event, gl: GitLabAPI) -> None:
    """Set the commit's status to the result of a job."""
    sha = event.data["checkout_sha"]
    if sha is None:
        return  # the branch was deleted
    project = f"/projects/{event.project_id}"
    async for status in gl.getiter(f"{project}/repository/commits/{sha}/statuses"):
        if status["name"] == STATUS:
            return
    async with callbacks.listening(CALLBACK_PORT):
        # a client of its own: `gl` would send GitLab's token along
        async with httpx.AsyncClient() as client:
            answer = await client.post(JOBS_URL, params={"some_parameter": sha})
        job = answer.raise_for_status().json()["identifier"]
        current_delivery().log.info("job started", job=job)
        succeeded = await callbacks.result(job)
    state = "success" if succeeded else "failed"
    await gl.post(f"{project}/statuses/{sha}", data={"name": STATUS, "state": state})


class Callbacks:
    """Results of jobs, as the third party reports them: ``GET /?success=true&identifier=…``."""

    def __init__(self) -> None:
        self._results: dict[str, asyncio.Future[bool]] = {}
        self._server: asyncio.Server | None = None
        self._waiting = 0
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncGenerator[None, None]:
        """Listen while at least one handler waits for a result."""
        async with self._turn:
            if self._waiting == 0:
                self._server = await asyncio.start_server(self._answer, "127.0.0.1", port)
            self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if self._waiting == 0 and self._server is not None:
                self._server.close()

    async def result(self, job: str) -> bool:
        """Wait for a job's result; a callback may be faster than the answer that names the job."""
        try:
            return await self._future(job)
        finally:
            del self._results[job]

    def _future(self, job: str) -> asyncio.Future[bool]:
        return self._results.setdefault(job, asyncio.get_running_loop().create_future())

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _method, target, _version = (await reader.readline()).decode().split()
        while await reader.readline() not in {b"\r\n", b""}:
            pass  # its headers
        query = parse_qs(urlsplit(target).query)
        future = self._future(query["identifier"][0])
        if not future.done():
            future.set_result(query.get("success") == ["true"])
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


callbacks = Callbacks()
