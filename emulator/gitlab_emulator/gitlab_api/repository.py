"""Reading a repository: files, commits, branches, tags, differences.

https://docs.gitlab.com/api/repository_files/ , repositories, commits, branches, tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.gitlab_api import lookup, params, shapes, shapes_code
from gitlab_emulator.gitlab_api.call import Answer, Call, not_found
from gitlab_emulator.gitlab_api.paging import paged
from gitlab_emulator.state import REPORTER, changes_between

if TYPE_CHECKING:
    from gitlab_emulator.state import Commit, Project


def project_to_read(call: Call) -> Project:
    """The project, if this account may read its code: guests of private projects may not."""
    project = lookup.project(call)
    if project.visibility == "private":
        call.require(project, REPORTER)
    return project


def commit_of(project: Project, ref: str, what: str = "Commit") -> Commit:
    """The commit that a branch, tag or sha names; 404 for what is none."""
    found = project.repository.resolve(ref, project.default_branch)
    if found is None:
        raise not_found(what)
    return found


def tree(call: Call) -> Answer:
    """GET …/repository/tree: files and folders below `path`, all of them with `recursive`."""
    project = project_to_read(call)
    if not project.repository.branches:
        raise not_found("Tree")
    ref = params.text(call.params, "ref") or project.default_branch
    files = project.repository.files[commit_of(project, ref, "Tree").sha]
    start = (params.text(call.params, "path") or "").strip("/")
    deep = params.flag(call.params, "recursive") or False
    below = {path: text for path, text in files.items() if not start or path.startswith(f"{start}/")}
    if start and not below:
        raise not_found("invalid revision or path")
    depth = start.count("/") + 1 if start else 0
    folders = {
        "/".join(path.split("/")[:parts])
        for path in below
        for parts in range(depth + 1, path.count("/") + 1)
        if deep or parts == depth + 1
    }
    shown = [path for path in sorted(below) if deep or path.count("/") == depth]
    entries = [shapes_code.tree_entry(path, is_folder=True) for path in sorted(folders)]
    entries += [shapes_code.tree_entry(path, is_folder=False, content=below[path]) for path in shown]
    return paged(call, entries, lambda entry: entry)


def file(call: Call) -> Answer:
    """GET …/repository/files/:file_path: with its content in base64. Needs `ref`."""
    params.require(call.params, "ref")
    project, path, commit, content = _content(call)
    last = next(
        one for one in project.repository.history(commit) if not one.parent_sha or path in _touched(one)
    )
    ref = params.text(call.params, "ref") or "HEAD"
    return Answer(
        body=shapes_code.file(path, content, ref=ref, commit_id=commit.sha, last_commit_id=last.sha)
    )


def raw_file(call: Call) -> Answer:
    """GET …/repository/files/:file_path/raw: as it is."""
    return Answer(text=_content(call)[-1])


def commits(call: Call) -> Answer:
    """GET …/repository/commits, newest first, of `ref_name`; `path`, `since` and `until` narrow."""
    project = project_to_read(call)
    ref = params.text(call.params, "ref_name") or project.default_branch
    if not project.repository.branches:
        raise not_found("Repository")
    path = params.text(call.params, "path")
    since, until = params.moment(call.params, "since"), params.moment(call.params, "until")
    found = [
        one
        for one in project.repository.history(commit_of(project, ref))
        if (path is None or any(name == path or name.startswith(f"{path}/") for name in _touched(one)))
        and (since is None or one.created_at >= since)
        and (until is None or one.created_at <= until)
    ]
    url = shapes.web_url(call.base_url, project)
    return paged(call, found, lambda one: shapes_code.commit(call.state, one, url))


def commit(call: Call) -> Answer:
    """GET …/repository/commits/:sha, by sha, branch or tag."""
    project = project_to_read(call)
    found = commit_of(project, call.ids["sha"])
    pipelines = [one for one in project.pipelines.values() if one.sha == found.sha]
    shape = shapes_code.commit(call.state, found, shapes.web_url(call.base_url, project))
    return Answer(
        body={**shape, "project_id": project.id, "status": pipelines[-1].status if pipelines else None}
    )


def commit_diff(call: Call) -> Answer:
    """GET …/repository/commits/:sha/diff: what it changed."""
    project = project_to_read(call)
    found = commit_of(project, call.ids["sha"])
    files = project.repository.files
    changes = changes_between(files.get(found.parent_sha, {}), files[found.sha])
    return paged(call, changes, shapes_code.file_change)


def merge_requests_of_commit(call: Call) -> Answer:
    """GET …/repository/commits/:sha/merge_requests."""
    project = project_to_read(call)
    found = commit_of(project, call.ids["sha"])
    items = [
        one
        for one in project.merge_requests.values()
        if found.sha in (one.merge_commit_sha, *(commit.sha for commit in one.commits))
    ]
    return paged(call, items, lambda one: shapes.merge_request(call.state, one, call.base_url))


def branches(call: Call) -> Answer:
    """GET …/repository/branches, by name; `search` narrows."""
    project = project_to_read(call)
    wanted = params.text(call.params, "search") or ""
    found = sorted(name for name in project.repository.branches if wanted in name)
    return paged(call, found, lambda name: shapes_code.branch(call.state, project, name, call.base_url))


def branch(call: Call) -> Answer:
    """GET …/repository/branches/:branch."""
    project, name = project_to_read(call), call.ids["branch"]
    if name not in project.repository.branches:
        raise not_found("Branch")
    return Answer(body=shapes_code.branch(call.state, project, name, call.base_url))


def tags(call: Call) -> Answer:
    """GET …/repository/tags, by name."""
    project = project_to_read(call)
    found = sorted(project.repository.tags)
    return paged(call, found, lambda name: shapes_code.tag(call.state, project, name, call.base_url))


def compare(call: Call) -> Answer:
    """GET …/repository/compare: what `to` has that `from` has not."""
    project = project_to_read(call)
    params.require(call.params, "from", "to")
    old, new = (commit_of(project, params.text(call.params, name) or "", "Ref") for name in ("from", "to"))
    known = {one.sha for one in project.repository.history(old)}
    url = shapes.web_url(call.base_url, project)
    missing = [one for one in project.repository.history(new) if one.sha not in known][::-1]
    found = [shapes_code.commit(call.state, one, url) for one in missing]
    files = project.repository.files
    return Answer(
        body={
            "commit": found[-1] if found else None,
            "commits": found,
            "diffs": [
                shapes_code.file_change(one) for one in changes_between(files[old.sha], files[new.sha])
            ],
            "compare_timeout": False,
            "compare_same_ref": old.sha == new.sha,
            "web_url": f"{url}/-/compare/{old.sha}...{new.sha}",
        }
    )


def _content(call: Call) -> tuple[Project, str, Commit, str]:
    """The file that the path names, as it is at `ref`."""
    project, path = project_to_read(call), call.ids["file_path"]
    commit = commit_of(project, params.text(call.params, "ref") or "HEAD")
    content = project.repository.files[commit.sha].get(path)
    if content is None:
        raise not_found("File")
    return project, path, commit, content


def _touched(commit: Commit) -> set[str]:
    return {*commit.added, *commit.modified, *commit.removed}
