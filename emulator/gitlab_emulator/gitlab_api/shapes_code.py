"""The JSON that GitLab answers with for what is in a repository.

https://docs.gitlab.com/api/commits/ , branches, tags, repositories, repository_files.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import shapes
from gitlab_emulator.state import sha_of

if TYPE_CHECKING:
    from gitlab_emulator.gitlab_api.call import Json
    from gitlab_emulator.state import Commit, FileChange, Project, State

FILE, FOLDER = "100644", "040000"
NOWHERE = "0" * 6


def commit(state: State, item: Commit, project_url: str) -> Json:
    """A commit; `project_url` is the project's page."""
    author = state.users[item.author_id]
    when = shapes.timestamp(item.created_at)
    return {
        "id": item.sha,
        "short_id": item.sha[:8],
        "created_at": when,
        "parent_ids": [item.parent_sha] if item.parent_sha else [],
        "title": item.message.partition("\n")[0],
        "message": item.message,
        "author_name": author.name,
        "author_email": author.email,
        "authored_date": when,
        "committer_name": author.name,
        "committer_email": author.email,
        "committed_date": when,
        "trailers": {},
        "web_url": f"{project_url}/-/commit/{item.sha}",
    }


def branch(state: State, project: Project, name: str, base_url: str) -> Json:
    """A branch with the commit that it points at."""
    url, is_default = shapes.web_url(base_url, project), name == project.default_branch
    newest = project.repository.commits[project.repository.branches[name]]
    return {
        "name": name,
        "merged": False,
        "protected": is_default,
        "default": is_default,
        "developers_can_push": False,
        "developers_can_merge": False,
        "can_push": True,
        "web_url": f"{url}/-/tree/{name}",
        "commit": commit(state, newest, url),
    }


def tag(state: State, project: Project, name: str, base_url: str) -> Json:
    """A tag with the commit that it points at."""
    newest = project.repository.commits[project.repository.tags[name]]
    return {
        "name": name,
        "message": "",
        "target": newest.sha,
        "commit": commit(state, newest, shapes.web_url(base_url, project)),
        "release": None,
        "protected": False,
        "created_at": None,
    }


def tree_entry(path: str, *, is_folder: bool, content: str = "") -> Json:
    """A file or folder in a listing."""
    return {
        "id": sha_of(f"tree {path}") if is_folder else blob_id(content),
        "name": path.rpartition("/")[2],
        "type": "tree" if is_folder else "blob",
        "path": path,
        "mode": FOLDER if is_folder else FILE,
    }


def file(path: str, content: str, *, ref: str, commit_id: str, last_commit_id: str) -> Json:
    """A file with its content in base64."""
    data = content.encode()
    return {
        "file_name": path.rpartition("/")[2],
        "file_path": path,
        "size": len(data),
        "encoding": "base64",
        "content_sha256": hashlib.sha256(data).hexdigest(),
        "ref": ref,
        "blob_id": blob_id(content),
        "commit_id": commit_id,
        "last_commit_id": last_commit_id,
        "execute_filemode": False,
        "content": base64.b64encode(data).decode(),
    }


def blob_id(content: str) -> str:
    """The id that git gives a file with this content."""
    data = content.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def file_change(item: FileChange) -> Json:
    """One file of a difference."""
    return {
        "old_path": item.path,
        "new_path": item.path,
        "a_mode": NOWHERE if item.new else FILE,
        "b_mode": NOWHERE if item.deleted else FILE,
        "diff": item.diff,
        "new_file": item.new,
        "renamed_file": False,
        "deleted_file": item.deleted,
        "generated_file": False,
        "collapsed": False,
        "too_large": False,
    }
