"""The state of this GitLab: users, groups and projects, with their issues, merge requests and notes.

Plain dataclasses that hold only values and each other, never a reference sideways (users and
projects are named by id), so that the whole can be written to a file as it stands. Times are aware
datetimes in UTC and come in as `now`; nothing here reads a clock.
"""

from gitlab_emulator.state.ci import FINISHED, Job, Pipeline
from gitlab_emulator.state.code import Commit, FileChange, Repository, changes_between, sha_of
from gitlab_emulator.state.noteables import Award, Issue, MergeRequest, Note, Noteable, discussions_of
from gitlab_emulator.state.people import (
    ACCESS_LEVELS,
    DEVELOPER,
    GUEST,
    MAINTAINER,
    OWNER,
    PLANNER,
    REPORTER,
    Member,
    Token,
    User,
)
from gitlab_emulator.state.places import Group, Label, Place, Project
from gitlab_emulator.state.world import FullError, State, set_open

__all__ = [
    "ACCESS_LEVELS",
    "DEVELOPER",
    "FINISHED",
    "GUEST",
    "MAINTAINER",
    "OWNER",
    "PLANNER",
    "REPORTER",
    "Award",
    "Commit",
    "FileChange",
    "FullError",
    "Group",
    "Issue",
    "Job",
    "Label",
    "Member",
    "MergeRequest",
    "Note",
    "Noteable",
    "Pipeline",
    "Place",
    "Project",
    "Repository",
    "State",
    "Token",
    "User",
    "changes_between",
    "discussions_of",
    "set_open",
    "sha_of",
]
