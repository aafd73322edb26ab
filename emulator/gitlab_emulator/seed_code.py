"""The files of the project that the emulator starts with, on two branches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gitlab_emulator.state import Commit, Repository, sha_of

if TYPE_CHECKING:
    from datetime import datetime

    from gitlab_emulator.state import User

README = "# Watering Can\n\nWaters the greenhouse, and says so when the tank runs dry.\n"
PIPELINE = "unit:\n  stage: test\n  script:\n    - python -m unittest\n"
TANK = '''"""How full a tank is."""

LOW_MM = 40


def is_empty(tank):
    """Whether the lamp should go on."""
    return tank.float_mm() < LOW_MM
'''
FIXED_TANK = TANK.replace("tank.float_mm() <", "max(tank.float_mm(), tank.float_mm()) <")
FILES = {"README.md": README, ".gitlab-ci.yml": PIPELINE, "watering/tank.py": TANK}
FIXED_FILES = {**FILES, "watering/tank.py": FIXED_TANK}


def float_fix(*, author: User, start: datetime) -> Commit:
    """The commit that the merge request is about."""
    return Commit(
        sha=sha_of("steadier-float"),
        parent_sha=sha_of("main"),
        message="Read the float twice\n\nOne reading may catch it mid-splash.\n",
        author_id=author.id,
        created_at=start + timedelta(hours=5),
        modified=["watering/tank.py"],
    )


def repository(*, author: User, start: datetime) -> Repository:
    """`main` with three files, and `steadier-float` with one commit on top."""
    first = Commit(
        sha=sha_of("main"),
        parent_sha="",
        message="Water the greenhouse\n",
        author_id=author.id,
        created_at=start,
        added=list(FILES),
    )
    made = Repository()
    made.add(first, FILES, branch="main")
    made.add(float_fix(author=author, start=start), FIXED_FILES, branch="steadier-float")
    return made
