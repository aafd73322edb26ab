"""`python -m gitlab_emulator`: the same as the command `gitlab-emulator`."""

from gitlab_emulator.cli import main

if __name__ == "__main__":
    main()
