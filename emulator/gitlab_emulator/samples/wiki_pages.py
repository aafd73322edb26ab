"""Wiki Page Hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitlab_emulator.samples import parts
from gitlab_emulator.samples.sample import sample
from gitlab_emulator.state import sha_of

if TYPE_CHECKING:
    from gitlab_emulator.samples.scene import Json, Scene

TITLE, SLUG = "Which tank is which", "Which-tank-is-which"


def _event(scene: Scene, action: str, message: str) -> Json:
    project = parts.project_with_old_names(scene)
    version = sha_of(f"{SLUG} {action}")
    wiki = parts.url(scene, "/-/wikis")
    return {
        "object_kind": "wiki_page",
        "user": parts.user(scene.maintainer),
        "project": project,
        "wiki": {
            "web_url": f"{wiki}/home",
            "git_ssh_url": project["git_ssh_url"].removesuffix(".git") + ".wiki.git",
            "git_http_url": parts.url(scene, ".wiki.git"),
            "path_with_namespace": f"{scene.project.path_with_namespace}.wiki",
            "default_branch": scene.project.default_branch,
        },
        "object_attributes": {
            "title": TITLE,
            "content": "The east tank has the stiff float.\n",
            "format": "markdown",
            "message": message,
            "slug": SLUG,
            "url": f"{wiki}/{SLUG}",
            "action": action,
            "diff_url": f"{wiki}/{SLUG}/diff?version_id={version}",
            "version_id": version,
        },
    }


SAMPLES = [
    sample("wiki-page-create", "The maintainer writes a wiki page.", _event, "create", f"Create {TITLE}"),
    sample("wiki-page-update", "The maintainer edits the wiki page.", _event, "update", "Name the valves"),
    sample("wiki-page-delete", "The maintainer deletes the wiki page.", _event, "delete", f"Delete {TITLE}"),
]
