"""Patterns for single console lines: build stages, make directories, failures."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from build_exporter.diagnostics.language import english


class Stage(StrEnum):
    """The stages of a build, in their order; the phases of a run."""

    CONFIGURE = "configure"
    BUILD = "build"
    TEST = "test"
    INSTALL = "install"


ORDER: Final = tuple(Stage)


class Turn(NamedTuple):
    """A line that shows a stage and the tool at work in it.

    Attributes:
        stage: the stage.
        tool: `make`, `ninja`, `configure`, `cmake`, `meson` or `ctest`.
        is_command: the line is the command itself, as a shell shows it: a new beginning, whatever was before.
        only_outside: it counts only where no make is at work in a directory: inside it is part of the work.
    """

    stage: Stage
    tool: str
    is_command: bool = False
    only_outside: bool = False


class Crossing(NamedTuple):
    """Make enters or leaves a directory; `enters` is None where make's words are in another language."""

    level: int
    path: str
    enters: bool | None


class Failure(NamedTuple):
    """Make gave a target up: its level, the exit code of the command, what was to be made, whether it was stopped.

    `is_needed`: the target is what needs the file that no rule makes.
    """

    level: int
    exit_code: int | None
    stopped: bool
    target: str = ""
    is_needed: bool = False


_LEVEL: Final = r"^(?:\S*/)?(?:g|re)?make(?:\[(\d{1,3})\])?\s?: "
_ENGLISH: Final = re.compile(_LEVEL + r"(Entering|Leaving) directory ['`\"]([^'\"]{1,4000})['\"]$")
_OPENING: Final = "['`\"\u201e\u00ab\u00bb\u2018\u201c\u300c]"
_CLOSING: Final = "['\"\u201d\u201c\u2019\u00bb\u00ab\u300d]"
_QUOTED: Final = re.compile(_LEVEL + rf"(?!\*\*\*)[^/'\[]{{3,60}}{_OPENING}\s?(/[^'\"\n]{{0,4000}}?)\s?{_CLOSING}")
_GIVEN_UP: Final = re.compile(_LEVEL + r"\*\*\* (.*)")
_REMAKE: Final = re.compile(r"^[^\s:]{1,300}:\d{1,6}: ()\*\*\* (\[[^\]]{1,500}\] error \d{1,3})$")
"""The same from remake, which leaves out itself and its level."""

_NOT_REMADE: Final = re.compile(_LEVEL + r"Target [`'].*' not remade because of errors")
_SHUFFLED: Final = r"(?: shuffle=\S{1,40})?"
"""Suffix that GNU make 4.4 adds to its messages with `--shuffle`."""

_STATUS: Final = re.compile(rf"\] \S+ (\d{{1,3}}){_SHUFFLED}(?: \(.*\))?{_SHUFFLED}$")
_TARGET: Final = re.compile(r"^\[(?:[^\]:]{1,500}:\d+: )?([^\]]{1,500})\]")
_DELETING: Final = re.compile(r"^Deleting (?:intermediate )?file")
"""Make does so where a target failed as well as where somebody stopped it."""

_NEEDED: Final = re.compile(r"^No rule to make target .*, needed by '([^']{1,500})'")
_WAITING: Final = re.compile(r"^(?:Waiting for unfinished jobs|[^\[\]/:]{5,60}\.\.\.\.?$)")
_STOPPED: Final = re.compile(r"\] (?:Interrupt|Terminated|Hangup|Quit)\b|^wait: No child")
"""A make prints the last when it was stopped while one of its commands ended by the same signal."""

_IGNORED: Final = re.compile(_LEVEL + rf"\[.*\] \S+ \d{{1,3}}{_SHUFFLED} \(\w+\){_SHUFFLED}$")
_OWN: Final = re.compile(
    r"^(?:\S*/)?(?:g|re)?make(?:\[\d{1,3}\])?\s?: |^[^\s:]{1,300}:\d{1,6}: \*\*\* \[[^\]]{1,500}\] error "
)
"""A message of make itself, no sign of work."""

NOISE: Final = re.compile(r"^Making \S+ in |^(?:\S*/)?g?make(?: |\t)|^\s*[{}#*=-]{0,80}\s*$|is up to date\.$")
NOISE_BEGINS: Final = frozenset(("", *" {}#*=-"))
"""First characters of noise without words."""

BUILDING: Final = re.compile(r"\b(?:Building|Compiling|Linking|Generating)\b")
_COUNTED: Final = re.compile(r"^\[\s*(\d{1,7})/(\d{1,7})\] (\S*)")
_PERCENT: Final = re.compile(r"^\[\s*(\d{1,3})%\] ")
_WORKING: Final = re.compile(r"\] (?:Building|Compiling|Linking|Generating|Copying|CC|CXX|LD|Built target) ")
_TESTED: Final = re.compile(r"^\s*(\d{1,7})/(\d{1,7}) (?:Test\s+#\d+: |\S.* (?:OK|FAIL|SKIP|TIMEOUT|EXPECTEDFAIL)\b)")
_KBUILD: Final = re.compile(r"^ {2}([A-Z][A-Z0-9_.+-]{1,15})(?: \[M\])? {1,10}(\S{1,1000})$")
_COMPILER: Final = re.compile(
    r"^\s*(?:\S*/)?(?:[\w.+]+-)*(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|ld|ar|ranlib|rustc|gfortran|as)(?:-[\d.]+)?\s"
    r"(?:.*\s)?(?:-[A-Za-z]|\S+\.(?:[cCsSoaf]|cc|cpp|cxx|rs|ll|lo|la|so|f90)\b)"
    r"|^libtool: (?:compile|link): |^/\S*sh \S*libtool |^Making all in |^CC\s+\S+\.[co]$|^compiling \S"
    r"|^\s*Compiling \S+ v\d"
)
_INSTALLER: Final = re.compile(
    r"^\s*(?:/\S*sh )?(?:\S*/)?(?:install(?:-sh)?|mkinstalldirs|mkdir -p|libtool: install:)\s"
    r"(?:.*\s)?['\"]?(/[^\s'\"]*)['\"]?$"
)
_INSIDE: Final = re.compile(r"/(?:staging_dir|build_dir|tmp|stamp|stamps|work|sysroots?|\.?stage|build)(?:/|$)")
"""Directories that are part of a build, wherever they are."""

_TEMPORARY: Final = re.compile(r"^/(?:var/)?tmp(?=/.)")
"""The system's, where whoever makes a package may well install to."""

_COMMAND: Final = re.compile(
    r"^(?:\++ |\$ |(?:\S{1,100}[@:])\S{0,200}[#$] |Run )(?:\w+=\S* )*(?:sudo |time |nice (?:-n ?\d+ )?)*"
    r"(?:\S*/)?(g?make|ninja|samu|cmake|meson|ctest|configure)\b(.*)$"
)

_CONFIGURES: Final = Turn(Stage.CONFIGURE, "configure", only_outside=True)
_TURNS: Final[tuple[tuple[re.Pattern[str], Turn], ...]] = tuple(
    (re.compile(pattern), turn)
    for pattern, turn in (
        (r"^checking (?:for|whether|if|how|build|host|target|the) |^Checking (?:for|whether) .*\.\.\.", _CONFIGURES),
        (r"^(?:\S*/)?configure: (?!error)|^config\.status: |^configuring ", _CONFIGURES),
        (
            r"^-- (?:The \w+ compiler|Configuring|Detecting|Performing|Looking for|Check|Found )|^CMake (?:Err|Warn)",
            Turn(Stage.CONFIGURE, "cmake"),
        ),
        (r"^The Meson build system$", Turn(Stage.CONFIGURE, "meson")),
        (r"^Making install in |^make\s+(?:\S+ )*(?:install\S*|\S+_install)(?:\s|$)", Turn(Stage.INSTALL, "make")),
        (r"^-- Install configuration: |^Install the project\.\.\.|^-- Installing: /", Turn(Stage.INSTALL, "cmake")),
        (r"^\[\d+/\d+\] Install(?:ing files| the project)", Turn(Stage.INSTALL, "ninja")),
        (r"^Installing \S+ to /", Turn(Stage.INSTALL, "meson")),
        (r"^Installing (?:\w+ )?\w+ in /", Turn(Stage.INSTALL, "make")),
        (r"^ {2}(?:(?:INSTALL|DEPMOD|STRIP|SIGN) {1,8}/|INSTALL {1,8}\S+\.ko$)", Turn(Stage.INSTALL, "make")),
        (r"^Making check in |^make\s+(?:\S+ )*(?:check\S*|tests?)(?:\s|$)", Turn(Stage.TEST, "make")),
        (r"^(?:PASS|FAIL|XFAIL|XPASS|SKIP): \S|^Testsuite summary", Turn(Stage.TEST, "make")),
        (r"^\s+=== .* tests ===$|^Test run by ", Turn(Stage.TEST, "make")),
        (r"^Test project /|^\[\d+/\d+\] Running (?:all )?tests|^\s*\d+/\d+ Test\s+#\d+: ", Turn(Stage.TEST, "ctest")),
        (r"^\s*1/\d+ \S.* (?:OK|FAIL|SKIP|TIMEOUT)\b", Turn(Stage.TEST, "meson")),
        (r"^-- Testing: \d|^running \d+ tests?$|^test \S+ \.\.\. (?:ok|FAILED|ignored)$", Turn(Stage.TEST, "make")),
        (r"^(?:ok  |FAIL|\?   )\t\S|^test \d{1,5}\.\.\.|^\*+ Start testing of \w", Turn(Stage.TEST, "make")),
        (
            r"^=+ test session starts =|^\[=+\] Running \d+ tests? from |^## .* test suite\. ##$",
            Turn(Stage.TEST, "make"),
        ),
        (r"^(?:\.\./)?[a-z]+/[\w/+-]+ ?\.{5,} ?(?:ok|FAILED|skipped)\b", Turn(Stage.TEST, "make")),
        (r"^ninja: Entering directory", Turn(Stage.BUILD, "ninja")),
        (r"^>>> Emerging \(", Turn(Stage.BUILD, "emerge")),
        (r"^Making all in |^make\s+all-(?:recursive|am)$", Turn(Stage.BUILD, "make", only_outside=True)),
    )
)
"""Lines that show a stage, the most specific first."""

_ANY_TURN: Final = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _TURNS))

_FATAL: Final[tuple[tuple[re.Pattern[str], Stage], ...]] = (
    (re.compile(r"^(?:checking .{1,200}\.\.\. ?)?\S*configure: error: "), Stage.CONFIGURE),
    (re.compile(r"^-- Configuring incomplete, errors occurred!|^CMake Error: "), Stage.CONFIGURE),
    (re.compile(r"^\S*meson\S*:\d+:\d+: ERROR: |^ERROR: .*[Mm]eson"), Stage.CONFIGURE),
    (re.compile(r"^(?:ninja|samu): build stopped: |^(?:ninja|samu): (?:error|fatal): "), Stage.BUILD),
)
_NINJA_STOPPED: Final = re.compile(r"^(?:ninja|samu): build stopped: interrupted")
_CONFIGURED: Final = re.compile(
    r"^config\.status: (?:creating|executing)|^-- (?:Configuring|Generating) done|^-- Build files have been written"
    r"|^Reticulating splines\.\.\.|^Found ninja-|^Build targets in project|^# configuration written to"
)

_TARGETS: Final = (
    (re.compile(r"\b(?:install\S*|\S+_install|--install)\b"), Stage.INSTALL),
    (re.compile(r"\b(?:check\S*|tests?)\b"), Stage.TEST),
    (re.compile(r"\b\S*config\b|\bsetup\b"), Stage.CONFIGURE),
)


def turn_of(text: str) -> Turn | None:
    """Return the stage a line shows, None when it shows none."""
    command = _COMMAND.match(text)
    if command is not None:
        return _commanded(command[1], command[2])
    if _ANY_TURN.match(text) is None:
        return None
    return next((turn for pattern, turn in _TURNS if pattern.match(text)), None)


def _commanded(tool: str, arguments: str) -> Turn | None:
    if tool == "configure":
        return Turn(Stage.CONFIGURE, tool, is_command=True)
    if tool == "ctest" or (tool == "meson" and re.match(r"\s+test\b", arguments)):
        return Turn(Stage.TEST, tool, is_command=True)
    default = Stage.CONFIGURE if tool in ("cmake", "meson") else Stage.BUILD
    if re.match(r"\s+(?:--build|compile)\b", arguments):
        default = Stage.BUILD
    stage = next((stage for pattern, stage in _TARGETS if pattern.search(arguments)), default)
    return Turn(stage, {"gmake": "make", "samu": "ninja"}.get(tool, tool), is_command=True)


def crossing_of(text: str) -> Crossing | None:
    """Return where make enters or leaves, in any language whose words stand around a quoted directory."""
    found = _ENGLISH.match(text)
    if found is not None:
        return Crossing(int(found[1] or 0), found[3], found[2] == "Entering")
    foreign = _QUOTED.match(text)
    return Crossing(int(foreign[1] or 0), foreign[2], None) if foreign is not None else None


def failure_of(text: str) -> Failure | None:
    """Return what make says it has given up; None where it only waits for jobs, or continued regardless."""
    found = _GIVEN_UP.match(text) or _REMAKE.match(text)
    if found is None:
        remade = _NOT_REMADE.match(text)
        return Failure(int(remade[1] or 0), None, stopped=False) if remade is not None else None
    words = english(found[2])
    if _WAITING.match(found[2]) or _DELETING.match(words):
        return None
    status = _STATUS.search(found[2])
    target = _TARGET.search(found[2])
    needed = _NEEDED.match(words)
    return Failure(
        int(found[1] or 0),
        # without one make itself could not continue, as where it has no rule
        int(status[1]) if status is not None else None,
        _STOPPED.search(words) is not None,
        target[1] if target is not None else needed[1] if needed is not None else "",
        is_needed=needed is not None,
    )


def is_waiting(text: str) -> bool:
    """Return whether make says that it waits for the jobs that still run."""
    found = _GIVEN_UP.match(text)
    return found is not None and _WAITING.match(found[2]) is not None


def ignored_level(text: str) -> int | None:
    """Return the level at which make ignored an error and continued, else None."""
    found = _IGNORED.match(text)
    return int(found[1] or 0) if found is not None else None


def fatal_stage(text: str) -> Stage | None:
    """Return the stage that a tool other than make says has failed for good."""
    return next((stage for pattern, stage in _FATAL if pattern.match(text)), None)


def is_ninja_stopped(text: str) -> bool:
    """Return whether ninja says that a user stopped it; it does so for a command that ended by a signal, too."""
    return _NINJA_STOPPED.match(text) is not None


def is_configured(text: str) -> bool:
    """Return whether configuring has come to its end."""
    return _CONFIGURED.match(text) is not None


def counted(text: str) -> tuple[int, int, str] | None:
    """Return done, total and unit of a line with a counter (`ninja`), a percentage (`make`) or a test's number."""
    found = _COUNTED.match(text)
    if found is not None:
        return int(found[1]), int(found[2]), "ninja"
    percent = _PERCENT.match(text)
    if percent is not None:
        return min(100, int(percent[1])), 100, "make"
    tested = _TESTED.match(text)
    return (int(tested[1]), int(tested[2]), "tests") if tested is not None else None


def built_path(text: str) -> tuple[str, str] | None:
    """Return tag and path of a line of Kbuild, or of any Makefile that is as terse: `  CC      kernel/fork.o`."""
    found = _KBUILD.match(text)
    return (found[1], found[2]) if found is not None else None


def is_compiling(text: str) -> bool:
    """Return whether a line is a command that compiles or links."""
    return _COMPILER.match(text) is not None


def installed_to(text: str) -> str | None:
    """Return the absolute path that a command installs to, None for any other line."""
    found = _INSTALLER.match(text)
    return found[1] if found is not None and _INSIDE.search(_TEMPORARY.sub("", found[1])) is None else None


def is_make_message(text: str) -> bool:
    """Return whether a line is make's own message, not the output of a command."""
    return _OWN.match(text) is not None


_PORTAGE: Final = re.compile(r" \* Package: {2,}\S+/\S+|>>> Unpacking source\.\.\.$")


def is_log_of_portage(first: str) -> bool:
    """Return whether a log's first line is that of a package's log as Portage keeps one: no build by hand."""
    return _PORTAGE.match(first) is not None


_QUIET_TAGS: Final = frozenset(
    ("AR", "AS", "CC", "CCLD", "CXX", "CXXLD", "GEN", "HOSTCC", "HOSTCXX", "HOSTLD", "LD", "LINK", "MODPOST", "OBJCOPY")
)
CERTAIN: Final = 3
"""Weight of lines from which on they are taken for those of a build."""


def weight_of(text: str) -> int:
    """Return how surely a line is one of a build: `CERTAIN` where hardly anything else prints it, less, or 0."""
    count = counted(text)
    if (
        crossing_of(text) is not None
        or failure_of(text) is not None
        or fatal_stage(text) is not None
        or is_compiling(text)
        or (count is not None and (count[2] != "make" or _WORKING.search(text) is not None))
        or _ANY_TURN.match(text) is not None
    ):
        return CERTAIN
    if (built := built_path(text)) is None:
        return 0
    return CERTAIN if built[0] in _QUIET_TAGS and ("." in built[1] or "/" in built[1]) else 1
