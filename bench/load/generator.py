"""A load generator of our own, in a process of its own: at a fixed rate, or as fast as answers come.

At a fixed rate (``--rate``) it is open-loop: requests are planned at random moments (Poisson) and
each answer's time counts from the planned moment, so a server that stalls is charged for everybody
who had to wait meanwhile. Blocking sockets and ``select``, since that wakes within microseconds
where event loops round to a millisecond.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path

_GRACE_S = 10.0


def requests_from(path: Path, secret: str, *, keep_alive: bool) -> list[tuple[bytes, bytes]]:
    """Return what comes before and after the delivery id, for each payload in the file."""
    parts = []
    for line in path.read_bytes().splitlines():
        event, _, body = line.partition(b"\t")
        head = [
            b"POST / HTTP/1.1",
            b"Host: 127.0.0.1",
            b"Content-Type: application/json",
            b"User-Agent: GitLab/18.9.0",
            b"X-Gitlab-Event: " + event,
            b"X-Gitlab-Token: " + secret.encode(),
            b"X-Gitlab-Instance: https://gitlab.example.test",
            b"X-Gitlab-Webhook-UUID: 7f1e3c52-5d5e-4d0a-9b4b-1f0d7ad0c0de",
            b"X-Gitlab-Event-UUID: 5b1d2f9e-40e5-4a0e-8c3a-6f2b9f4d7a11",
            b"webhook-timestamp: 1790000000",
            b"Content-Length: %d" % len(body),
            *([] if keep_alive else [b"Connection: close"]),
            b"webhook-id: ",
        ]
        parts.append((b"\r\n".join(head), b"\r\n\r\n" + body))
    return parts


class Generator:
    """Connections to one server and what came back over them.

    :param keep_alive: whether a connection takes more than one request.
    """

    def __init__(
        self,
        port: int,
        *,
        connections: int,
        requests: list[tuple[bytes, bytes]],
        run: str,
        keep_alive: bool,
    ) -> None:
        self.took: list[float] = []
        self.refused = 0
        self._requests = requests
        self._run = run.encode()
        self._sent = 0
        self._port = port
        self._keep_alive = keep_alive
        self._free = connections
        self._idle = [self._connect() for _ in range(connections)] if keep_alive else []
        self._planned: dict[socket.socket, float] = {}

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    @property
    def under_way(self) -> int:
        """How many answers are awaited."""
        return len(self._planned)

    def send(self, waiting: deque[float]) -> None:
        """Send what waits, as far as connections are free."""
        while waiting and self._free:
            self._free -= 1
            connection = self._idle.pop() if self._keep_alive else self._connect()
            before, after = self._requests[self._sent % len(self._requests)]
            self._planned[connection] = waiting.popleft()
            connection.sendall(before + self._run + b"-0000-4000-8000-%012x" % self._sent + after)
            self._sent += 1

    def receive(self, within_s: float) -> None:
        """Take the answers that come within this time, all that are there."""
        if not self._planned:
            time.sleep(max(0.0, within_s))
            return
        ready, _, _ = select.select(list(self._planned), [], [], max(0.0, within_s))
        for connection in ready:
            answer = connection.recv(65536)
            now = time.perf_counter()
            if not answer.startswith(b"HTTP/1.1 ") or b"\r\n\r\n" not in answer:
                raise ConnectionError(f"not an answer: {answer[:60]!r}")
            if answer[9:10] != b"2":
                self.refused += 1
            self.took.append(now - self._planned.pop(connection))
            self._free += 1
            if self._keep_alive:
                self._idle.append(connection)
            else:
                connection.close()

    def keep_rate(self, rate: float, seconds: float) -> float:
        """Send at *rate* on average; gives the seconds that it took to have all answers."""
        chance = random.Random(11)  # noqa: S311 - the same plan for every contender
        began = due = time.perf_counter()
        waiting: deque[float] = deque()
        while (now := time.perf_counter()) < began + seconds + _GRACE_S:
            while due <= now and due < began + seconds:
                waiting.append(due)
                due += chance.expovariate(rate)
            self.send(waiting)
            if due >= began + seconds and not waiting and not self.under_way:
                break
            self.receive(min(due - time.perf_counter(), 0.01))
        return time.perf_counter() - began

    def as_fast_as_answers_come(self, seconds: float) -> float:
        """Keep all connections busy; gives the seconds that it took."""
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            self.send(deque([now] * self._free))
            self.receive(0.01)
        return time.perf_counter() - began


def main() -> None:
    """Print one line of JSON, as the wrk script does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--payloads", type=Path, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--run", required=True, help="eight hex digits: a part of the ids")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=0, help="per second; 0: as fast as answers come")
    parser.add_argument("--close", action="store_true", help="a new connection for each request")
    given = parser.parse_args()
    generator = Generator(
        given.port,
        connections=given.connections,
        requests=requests_from(given.payloads, given.secret, keep_alive=not given.close),
        run=given.run,
        keep_alive=not given.close,
    )
    if given.rate:
        seconds = generator.keep_rate(given.rate, given.seconds)
    else:
        seconds = generator.as_fast_as_answers_come(given.seconds)
    took = sorted(generator.took)
    result = {
        "answered": len(took),
        "seconds": seconds,
        "refused": generator.refused,
        "broken": generator.under_way if given.rate else 0,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[int(len(took) * 0.99)] * 1000,
    }
    sys.stdout.write(f"BENCH {json.dumps(result)}\n")


if __name__ == "__main__":
    main()
