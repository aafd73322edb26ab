# ruff: noqa: INP001 - Sphinx runs this file; it is no package
"""Configuration of the documentation site, which `make docs` builds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import cli_reference
import repository_pages
from pygments.lexers import TextLexer  # type: ignore[import-untyped]  # only handed on

project = author = "Hookyard"
extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = "Hookyard"
html_static_path = ["static"]
html_css_files = ["hookyard.css"]
html_show_copyright = html_show_sphinx = html_copy_source = False


def setup(app: Any) -> dict[str, bool]:
    """Fill in what pages take from the code and from the repository's other documents."""
    app.add_lexer("way", TextLexer)  # the list in ARCHITECTURE.md that a test compares with a traced run
    app.connect("source-read", cli_reference.fill_in)
    app.connect("source-read", repository_pages.fill_in)
    return {"parallel_read_safe": True}
