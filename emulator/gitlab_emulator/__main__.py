"""`python -m gitlab_emulator`: the emulator's own command line (see `gitlab_emulator.cli`)."""

from gitlab_emulator.cli import cli

if __name__ == "__main__":
    cli(prog_name="python -m gitlab_emulator")
