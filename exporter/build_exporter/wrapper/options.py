"""The options of `run`: one table for the fast parser here and the help text of the command line."""

from __future__ import annotations

from build_exporter.wrapper.names import is_build_name

MAX_NAME_LENGTH = 256


class Option:
    """One row: `metavar` is empty for a switch."""

    __slots__ = ("help", "metavar", "name")

    def __init__(self, name: str, metavar: str, help: str) -> None:  # noqa: A002
        self.name = name
        self.metavar = metavar
        self.help = help


OPTIONS = (
    Option(
        "build",
        "NAME",
        "Line of builds, such as lfs-12.4. Default: that of the run around it, else $BUILD_EXPORTER_BUILD, else the "
        "current directory's name.",
    ),
    Option("phase", "NAME", "Phase of the step; makes the command one step of a run. Default: build."),
    Option("step", "NAME", "Name of the step; makes the command one step of a run. Default: the command's base name."),
    Option("package", "NAME", "Package the step builds."),
    Option("version", "VERSION", "Version of the package."),
    Option("journal", "DIR", "Journal directory. Default: $BUILD_EXPORTER_JOURNAL, else the system's or the user's."),
    Option("log", "FILE", "Keep a copy of the command's output in FILE; what it held before is lost."),
    Option("target", "TARGET", "What the build is for, recorded in build_started, such as x86_64-lfs-linux-gnu."),
    Option("jobs", "N", "Parallel jobs of the build, recorded in build_started."),
    Option("new", "", "Begin a new run even where the newest is unfinished."),
    Option("no-step", "", "Whole build only: record no step for the command, its scripts record their own."),
)
_BY_NAME = {f"--{option.name}": option for option in OPTIONS}


class UsageError(Exception):
    """Wrong use; the message is the line to print."""


class Options:
    """The parsed command line; `help` if it asks for help."""

    __slots__ = (
        "build",
        "command",
        "help",
        "jobs",
        "journal",
        "log",
        "new",
        "no_step",
        "package",
        "phase",
        "step",
        "target",
        "version",
    )

    def __init__(self) -> None:
        self.build = self.phase = self.step = self.package = self.version = ""
        self.journal = self.log = self.target = ""
        self.jobs: int | None = None
        self.new = self.no_step = self.help = False
        self.command: list[str] = []

    @property
    def step_name(self) -> str:
        """The step's name: given, else the base name of the command, without what only starts it (`nice make`)."""
        return self.step or _program(self.command)[:MAX_NAME_LENGTH] or "command"

    @property
    def phase_name(self) -> str:
        """The phase's name: given, else `build`."""
        return self.phase or "build"


_LAUNCHERS = frozenset(
    ("nice", "ionice", "env", "time", "nohup", "taskset", "chrt", "stdbuf", "setsid", "timeout", "sudo", "doas")
)
"""Programs that start the one that counts; options, numbers and variables of theirs stand between."""


def _program(command: list[str]) -> str:
    """Return the base name of the program that does the work."""
    first = command[0].rpartition("/")[2]
    words = iter(command if first in _LAUNCHERS else ())
    for word in words:
        name = word.rpartition("/")[2]
        if word in ("-u", "-g"):
            next(words, None)
        elif name and name not in _LAUNCHERS and word[0] not in "-0123456789" and "=" not in word:
            return name
    return first


def parse(arguments: list[str]) -> Options:
    """Return the options and the command in `arguments`, which follow the word `run`.

    Raises:
        UsageError: an option is unknown, lacks its value or has a wrong one, or there is no command.
    """
    options = Options()
    position = 0
    while position < len(arguments) and arguments[position].startswith("-") and arguments[position] != "-":
        word = arguments[position]
        position += 1
        if word == "--":
            break
        if word in ("--help", "-h"):
            options.help = True
            return options
        name, has_value, value = word.partition("=")
        option = _BY_NAME.get(name)
        if option is None:
            raise UsageError(f"no such option: {name}")
        if not option.metavar:
            if has_value:
                raise UsageError(f"{name} takes no value")
            setattr(options, option.name.replace("-", "_"), True)
            continue
        if not has_value:
            if position == len(arguments):
                raise UsageError(f"{name} needs a value")
            value = arguments[position]
            position += 1
        _set(options, option, value)
    options.command = arguments[position:]
    if not options.command:
        raise UsageError("no command given; use: build-exporter run [OPTIONS] -- COMMAND [ARGUMENT]...")
    if options.no_step and (options.step or options.phase):
        raise UsageError("--no-step goes with a whole build, not with --step or --phase")
    return options


def _set(options: Options, option: Option, value: str) -> None:
    if not value:
        # an unset variable in a script: as if the option were not there
        return
    if option.name == "jobs":
        if not (value.isascii() and value.isdigit() and len(value) < 10):
            raise UsageError(f"--jobs must be a whole number, not {value!r}")
        options.jobs = int(value)
        return
    if option.name == "build" and not is_build_name(value):
        raise UsageError(f"--build must be 1 to 100 of the characters A-Z a-z 0-9 . _ + -, not {value!r}")
    if option.name not in ("log", "journal") and len(value) > MAX_NAME_LENGTH:
        raise UsageError(f"--{option.name} must be at most {MAX_NAME_LENGTH} characters")
    setattr(options, option.name, value)
