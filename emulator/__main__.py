"""`python -m emulator`: the emulator's own command line (see `emulator.cli`)."""

from emulator.cli import cli

if __name__ == "__main__":
    cli(prog_name="python -m emulator")
