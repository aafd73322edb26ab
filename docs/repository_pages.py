# ruff: noqa: INP001 - Sphinx's configuration imports this file; it is no package
"""The repository's other documents as pages of the site, and links to them.

`<!-- include bench/README.md as Benchmarks -->` in a page is replaced by that file, under that title. A
relative link that leads out of docs/ is right in a clone. On the site it leads to the page that includes its
target; where no page does, as with source code, its text remains. Sphinx reports a target that is missing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).resolve().parent
ROOT: Final = DOCS.parent
INCLUDE: Final = re.compile(r"<!-- include (\S+)(?: as (.+))? -->")
LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
"""A link, or with an exclamation mark an image."""


def fill_in(_app: Any, page: str, source: list[str]) -> None:
    """Replace the mark of an included file, and rewrite links, when Sphinx reads a page."""
    source[0] = INCLUDE.sub(_included, _with_links(source[0], (DOCS / page).parent))


def included_in() -> dict[Path, str]:
    """Return the files that pages include, with the page of each."""
    pages = {page: page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md")}
    return {
        (ROOT / name).resolve(): f"/{page.relative_to(DOCS).as_posix()}"
        for page, text in pages.items()
        for name, _title in INCLUDE.findall(text)
    }


def _included(mark: re.Match[str]) -> str:
    path, title = ROOT / mark[1], mark[2]
    text = _with_links(path.read_text(encoding="utf-8"), path.parent)
    return re.sub(r"\A# .*", lambda _old: f"# {title}", text) if title else text


def _with_links(text: str, folder: Path) -> str:
    pages = included_in()

    def rewrite(link: re.Match[str]) -> str:
        mark, shown, target, anchor = link[1], link[2], (folder / link[3]).resolve(), link[4] or ""
        if target.is_relative_to(DOCS):
            return f"{mark}[{shown}](/{target.relative_to(DOCS).as_posix()}{anchor})"
        if mark:
            return link[0]
        if target in pages:
            return f"[{shown}]({pages[target]}{anchor})"
        return shown if target.exists() else link[0]

    return LINK.sub(rewrite, text)
