"""Kinds of lines: a command, a shell's trace, quoted source, usage text, progress, or words of a tool."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class Kind(Enum):
    """Kinds of lines that are distinguished before anything is taken for evidence."""

    WORDS = "words"
    COMMAND = "command"
    TRACE = "trace"
    SOURCE = "source"
    PROGRESS = "progress"
    FRAME = "frame"


_PROGRAMS: Final = (
    r"(?:[\w.+]+-)*(?:gcc|g\+\+|cc|c\+\+|cpp|clang|clang\+\+|ld|ar|as|ranlib|nm|strip|objcopy|rustc|cargo|go|ghc"
    r"|javac|gfortran|libtool|moc)(?:-[\d.]+)?"
    r"|install|cp|mv|rm|mkdir|ln|chmod|cd|echo|printf|sh|bash|dash|python\d?(?:\.\d+)?|perl|ruby|node|env|sed|awk"
    r"|grep|cat|touch|tar|find|xargs|cmake|meson|ninja|g?make|patch|curl|wget|git"
    r"|if|for|while|case|then|else|fi|do|done|test|set|export|exec|exit|\.|source|true|false|\(|\{|@"
)
_COMMAND: Final = re.compile(
    rf"^\s*(?:[A-Z_][A-Z0-9_]*=(?:\"[^\"]*\"|'[^']*'|\S*)\s+){{0,20}}(?:\(\s*)?(?:(?:\.{{0,2}}/)?[\w./+-]*/)?(?:{_PROGRAMS})\s+(?![:=])\S"
    r"|^(?:\./|\.\./|/)[\w./+-]+(?: [^:]*)?$"
    r"|^libtool: (?:compile|link|install|finish|relink): |^\s*/\S*/(?:ba|da)?sh \S|^\s*CDPATH=|^\s*(?:source"
    r"|depfile|object)='"
)
_WORDS_AFTER: Final = re.compile(
    r"^(?:test \S{1,200} \.\.\. |test \d+\.\.\.|make(?:\[\d+\])?: |\S*(?:make|go|git|cargo)\b.{0,60}: (?:\*\*\*"
    r"|error|fatal)|if you |for more |for information|find \S+ for|go to |test (?:case|result|suite)"
    r"|case \w+ failed|"
    r"set the |source (?:file|directory) |git clone failed|install the |true error|patch does|do not |then (?:the"
    r"|you) |as (?:you|it|well|a) |go: )"
)
_TRACE: Final = re.compile(r"^\++ +\S|^\+\+? |^set [-+]x")
_SOURCE: Final = re.compile(
    r"^\s*\d{0,7} ?\|(?: |$)|^\s+\||^\s*[~^|][\s~^|]*$|^\s*(?:-->|:::)\s|^=+>\s(?!\w{2,8}: )"
    r"|^>>> |^\s+\^|^ {0,6}\.{3}$|^\s+[~^]+"
    r"|^\s*(?:= )?(?:note|help|hint): |^ +[a-z_]+\(.*\)[;{]?$"
)
_PROGRESS: Final = re.compile(
    r"^\S*make(?:\[\d+\])?: (?:Entering|Leaving|Nothing|'|`|Circular|warning)|^Making \S+ in |^\[ *\d+(?:%|/\d+)\]"
    r"|^ {2}(?!TRY \d)[A-Z][A-Z0-9_+-]{1,12}(?: \[M\])? {1,10}\S|^(?:checking|Checking) |^-- (?!Configuring incomplete)"
    r"|^(?:PASS|XFAIL|SKIP|UNSUPPORTED|UNTESTED|ok)\b|^(?:NOTE|DEBUG|INFO|Note|WARNING|Warning|warning)\b"
    r"|^ {2,4}(?:Compiling|Downloaded|Downloading|Finished|Running|Building|Updating|Fresh|Checking|Blocking) "
    r"|^time: |^(?:Building|Linking|Generating|Scanning|Copying|Installing|Unpacking|Preparing|Setting up"
    r"|Extracting|compiling|linking|creating|copying|building|running) \S"
    r"|^\S+ is up to date|^ ?-{2,4}> |^Step \d+(?:/\d+)? : "
    r"|^config\.status: (?:creating|executing)|^[^\w]*$|^>>> |^ \* (?!ERROR)|^(?:Loading|Loaded"
    r"|Parsing|Currently) |^Summary: |^make(?:\[\d+\])?: \[|^\s+(?:from |inlined from )|^In file included from"
    r"|^\S+: (?:In|At) (?:member |static |copy )?(?:function|constructor|destructor|lambda|global|top level"
    r"|instantiation|substitution)|^\S+: (?:warning|note|remark): |^\S+:\d+(?::\d+)?: (?:warning|note|remark"
    r"|required|Warning)"
)
_FRAME: Final = re.compile(r"^\s+(?:File \"|at |in |from )|^\s{4,}\S")
_USAGE: Final = re.compile(
    r"^(?i:usage)(?::|\s)|^Try ['`\"]?.* (?:--help|-h)\b|^Options:$|^ {0,4}-{1,2}[\w-]+[, =\[].* {2,}\S"
)


def kind_of(text: str) -> Kind:
    """Return what sort of line it is."""
    if _TRACE.match(text):
        return Kind.TRACE
    if _SOURCE.match(text):
        return Kind.SOURCE
    if is_command(text):
        return Kind.COMMAND
    if _PROGRESS.match(text):
        return Kind.PROGRESS
    return Kind.FRAME if _FRAME.match(text) else Kind.WORDS


def is_command(text: str) -> bool:
    """Return whether a line is a command as make or a shell shows it, not the words of one."""
    return _COMMAND.match(text) is not None and _WORDS_AFTER.match(text) is None


def is_usage(text: str) -> bool:
    """Return whether a line begins or is part of a usage text."""
    return _USAGE.match(text) is not None
