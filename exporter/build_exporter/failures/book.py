"""The book's page of a step."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.tracker import Run, Step

_VERSION: Final = re.compile(r"(?:LFS[ -]?)?r?(\d{1,2}\.\d)(-systemd)?\Z", re.IGNORECASE)
_CHAPTER: Final = re.compile(r"chapter-(\d{1,2})\Z")
_TARGET: Final = re.compile(r"\d{3,4}-([a-z0-9][\w.+-]{0,80})\Z", re.IGNORECASE)


def page_of(run: Run, step: Step) -> str | None:
    """Return the address of the page of Linux From Scratch that a step is from, None where it is no step of a book.

    A phase is a chapter there, and jhalfs' targets are a number and the page's name.
    """
    version, chapter, target = _VERSION.match(run.book), _CHAPTER.match(step.phase), _TARGET.match(step.step)
    if version is None or chapter is None or target is None:
        return None
    book = f"{version[1]}{version[2] or ''}"
    return f"https://www.linuxfromscratch.org/lfs/view/{book}/chapter{int(chapter[1]):02}/{target[1]}.html"
