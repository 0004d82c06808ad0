"""The runbook: `alertmanager/runbook.md`, packaged, as HTML with an anchor for each alert."""

from __future__ import annotations

import itertools
import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

FILE: Final = "runbook.md"


class Runbook(NamedTuple):
    """The text as HTML, and its headings as (anchor, title)."""

    html: Markup
    headings: tuple[tuple[str, str], ...]


@cache
def runbook() -> Runbook:
    """Return the packaged runbook; its HTML comes from Markdown in which HTML has no meaning."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(Path(__file__).with_name(FILE).read_text(encoding="utf-8"))
    headings = tuple(_anchored(tokens))
    return Runbook(Markup(markdown.renderer.render(tokens, markdown.options, {})), headings)  # noqa: S704


def _anchored(tokens: list[Token]) -> list[tuple[str, str]]:
    """Give each second-level heading its anchor, the title in lower case; return anchors and titles."""
    found = []
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            anchor = re.sub(r"[^a-z0-9]+", "-", inline.content.lower()).strip("-")
            token.attrSet("id", anchor)
            if inline.content.isalnum() and inline.children is not None:
                # dashboards know an alert by its own name, and cannot put it in lower case
                inline.children.insert(0, Token("html_inline", "", 0, content=f'<a id="{inline.content}"></a>'))
            found.append((anchor, inline.content))
    return found
