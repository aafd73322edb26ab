"""Shows where an ingress or a worker spends its time under load, with py-spy (installed separately).

    python -m bench.profile ingress
    python -m bench.profile worker --handlers bench.bot:waits --slots 200 --flamegraph

Prints the functions at the top, by own time and with what they call, and leaves the folded stacks in
``bench/results``. py-spy needs to be root, or the ``ptrace`` capability.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from bench import load
from bench.__main__ import RESULTS
from bench.contenders import HOOKYARD, HOOKYARD_INGRESS, INGRESSES, WORKERS
from bench.processor import Shares, redis_pid
from bench.stage import ROOT, SECRET, Stage, client_of, on_stage

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES_PER_SECOND: Final = 200


def main() -> None:
    """Profile what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("ingress", "worker"))
    parser.add_argument("--contender", help="profile this one instead of Hookyard, such as SAQ")
    parser.add_argument("--keep-alive", action="store_true", help="the ingress gets kept connections")
    parser.add_argument("--flamegraph", action="store_true", help="write an SVG as well")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--count", type=int, default=40_000, help="deliveries waiting for the worker")
    parser.add_argument("--handlers", default="bench.bot:noop")
    parser.add_argument("--slots", default="100")
    parser.add_argument("--log-level", choices=("info", "warning"), default="warning")
    parser.add_argument("--top", type=int, default=30)
    parser.add_argument("--native", action="store_true", help="C functions too; slower")
    given = parser.parse_args()
    run: Callable[[Stage, Any, Path], None] = _ingress if given.what == "ingress" else _worker
    raw = RESULTS / f"profile-{given.what}.txt"
    RESULTS.mkdir(exist_ok=True)
    with on_stage(RESULTS, appendfsync="everysec", log_level=given.log_level) as stage:
        run(stage, given, raw)
    _print(raw, given.top)


def _chosen(among: Any, name: str | None, otherwise: Any) -> Any:
    return next((each for each in among if each.name == name), otherwise)


def _ingress(stage: Stage, given: Any, raw: Path) -> None:
    ingress = _chosen(INGRESSES, given.contender, HOOKYARD_INGRESS)
    with stage.redis() as url, stage.serving(*ingress.arguments, REDIS_URL=url) as at:
        put_on = partial(load.put_on, payloads=stage.payloads, secret=SECRET, keep_alive=given.keep_alive)
        put_on(at.port, seconds=1)
        spies = _spy(at.pid, given, raw)
        with client_of(url) as client:
            shares = Shares(ingress=at.pid, Redis=redis_pid(client))
        result = put_on(at.port, seconds=given.seconds + 1)
        busy = str(shares)
        _wait(spies, given)
    sys.stdout.write(
        f"processor time: {busy}\n{ingress.name}: {result.per_second:,.0f} a second while it was watched\n"
    )


def _worker(stage: Stage, given: Any, raw: Path) -> None:
    worker = _chosen(WORKERS, given.contender, HOOKYARD)
    with stage.redis() as url, client_of(url) as client:
        asyncio.run(worker.fill(url, given.count))
        environment = {"HOOKYARD_HANDLERS": given.handlers, "HOOKYARD_SLOTS": given.slots}
        with stage.process(*worker.arguments, REDIS_URL=url, **environment) as process:
            deadline = time.monotonic() + 20
            while _left(client, worker.unfinished) == given.count and time.monotonic() < deadline:
                time.sleep(0.005)
            before, began = _left(client, worker.unfinished), time.monotonic()
            spies = _spy(process.pid, given, raw)
            shares = Shares(worker=process.pid, Redis=redis_pid(client))
            left, took = before, 0.0
            while spies[0].poll() is None and left:
                left = _left(client, worker.unfinished)
                took = time.monotonic() - began
                time.sleep(0.02)
            busy = str(shares)
            _wait(spies, given)
    sys.stdout.write(
        f"processor time: {busy}\n"
        f"{worker.name}: {(before - left) / took:,.0f} a second while it was watched\n"
    )


def _wait(spies: list[subprocess.Popen[bytes]], given: Any) -> None:
    for spy in spies:
        spy.wait(given.seconds + 30)


def _left(client: Any, key: str) -> int:
    return int(client.zcard(key))


def _spy(pid: int, given: Any, raw: Path) -> list[subprocess.Popen[bytes]]:
    """Watch a process: once for the table, once more for the flame graph."""
    common = [
        str(Path(sys.executable).with_name("py-spy")),
        "record",
        "--pid",
        str(pid),
        "--nonblocking",
        "--function",
    ]
    common += ["--rate", str(SAMPLES_PER_SECOND), "--duration", str(int(given.seconds))]
    common += ["--native"] if given.native else []
    commands = [[*common, "--format", "raw", "--output", str(raw)]]
    if given.flamegraph:
        commands.append([*common, "--format", "flamegraph", "--output", str(raw.with_suffix(".svg"))])
    return [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - made here
        for command in commands
    ]


def _print(raw: Path, top: int) -> None:
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    total = 0
    for line in raw.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        frames = [frame.replace(f"{ROOT}/", "") for frame in stack.split(";")]
        count = int(number)
        total += count
        own[frames[-1]] += count
        for frame in set(frames):
            whole[frame] += count
    if not total:
        sys.stdout.write("py-spy saw nothing\n")
        return
    for title, counted in (("own time", own), ("with what they call", whole)):
        table = Table("share", "function", title=f"{title}, of {total} samples", title_justify="left")
        for function, count in counted.most_common(top):
            table.add_row(f"{count / total:.1%}", function)
        Console(width=120).print(table)
    sys.stdout.write(f"folded stacks: {raw}\n")


if __name__ == "__main__":
    main()
