"""Start one host process: ``python -m hookyard.host``, by a worker.

It first sees to it that it dies with its supervisor; only then it imports what takes long.
"""

from __future__ import annotations

import argparse

from hookyard.host.lifeline import die_with


def main() -> None:
    """Read the options and become a host."""
    parser = argparse.ArgumentParser(prog="python -m hookyard.host", description=__doc__)
    parser.add_argument("--link", type=int, required=True, help="descriptor of the socket to the supervisor")
    parser.add_argument("--cell", type=int, required=True, help="descriptor of the shared cell")
    parser.add_argument("--supervisor", type=int, required=True, help="process id of the supervisor")
    given = parser.parse_args()
    die_with(given.supervisor)
    from hookyard.host.entry import run  # noqa: PLC0415 - see above

    run(link=given.link, cell=given.cell)


if __name__ == "__main__":
    main()
