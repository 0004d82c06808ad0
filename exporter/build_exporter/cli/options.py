"""Options and helpers that several commands share."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from build_exporter.journal.command_uses import count_command
from build_exporter.journal.layout import JOURNAL_VARIABLE, default_journal

if TYPE_CHECKING:
    from build_exporter.config.schema import Config

F = TypeVar("F", bound=Callable[..., Any])

USAGE_ERROR = 2
CONFIG_VARIABLE = "BUILD_EXPORTER_CONFIG"


class JournalError(click.ClickException):
    """A journal that can't be used: one sentence, and exit code 2."""

    exit_code = USAGE_ERROR

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence on standard error."""
        click.echo(f"build-exporter: {self.format_message()}", file=file, err=True)


output_option = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
"""Adds `--output`, for commands that show a table."""


def journal_option(command: F) -> F:
    """Add `--journal DIR`, given to the command as a string with its default filled in."""
    return _journal_option(_counted)(command)


def recorded_journal_option(command: F) -> F:
    """Add `--journal DIR` to a command that only reads: one named on the command line must be there."""
    return _journal_option(_recorded)(command)


def _journal_option(callback: Callable[[click.Context, click.Parameter, str], str]) -> Callable[[F], F]:
    return click.option(
        "--journal",
        metavar="DIR",
        default=default_journal,
        callback=callback,
        help="Journal directory. Default: $BUILD_EXPORTER_JOURNAL, else the system's or the user's.",
    )


def _recorded(context: click.Context, option: click.Parameter, journal: str) -> str:
    if not context.resilient_parsing:
        check_journal(journal, must_exist=is_named(context))
    return _counted(context, option, journal)


def is_named(context: click.Context) -> bool:
    """Return whether the command line names the journal; the default one may not have begun yet."""
    return context.get_parameter_source("journal") is click.core.ParameterSource.COMMANDLINE


def _counted(context: click.Context, option: click.Parameter, journal: str) -> str:
    """Return the journal; count this use of the command in it. `serve` listens even if the journal's mount is dead."""
    command = "-".join(context.command_path.split()[1:])
    if context.resilient_parsing:
        pass
    elif command == "serve":
        threading.Thread(target=count_command, args=(journal, command), name="command-use", daemon=True).start()
    else:
        count_command(journal, command)
    return journal


def is_default_journal() -> bool:
    """Return whether neither the command line nor the environment names the journal."""
    return not is_named(click.get_current_context()) and JOURNAL_VARIABLE not in os.environ


def config_option(help_text: str, *, early: bool = False) -> Callable[[F], F]:
    """Return a decorator that adds `--config FILE`, by default of the environment; `early`: read before `--help`."""
    return click.option(
        "--config", "config_path", metavar="FILE", envvar=CONFIG_VARIABLE, show_envvar=True, is_eager=early,
        help=help_text,
    )  # fmt: skip


def load_config(path: str | None) -> Config:
    """Return the configuration, the default one without a path; end with code 2 when it is wrong."""
    # not for `emit`, which a build waits for
    from build_exporter.config.problems import ConfigError  # noqa: PLC0415
    from build_exporter.config.schema import Config  # noqa: PLC0415

    if path is None:
        config = Config()
        use_failure_rules(config)
        return config
    try:
        config = read_config(path)
        use_failure_rules(config)
        return config
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(USAGE_ERROR) from None


def read_config(path: str) -> Config:
    """Return the configuration that a file holds, with the sources and queries there are.

    Raises:
        ConfigError: it cannot be read, or is wrong.
    """
    from build_exporter.config.kinds import Outside  # noqa: PLC0415 - not for `emit`
    from build_exporter.config.load import load  # noqa: PLC0415
    from build_exporter.queries.filters import questions  # noqa: PLC0415
    from build_exporter.sources.registry import option_forms  # noqa: PLC0415

    return load(Path(path), Outside(option_forms(), questions()))


def use_failure_rules(config: Config) -> None:
    """Let the rules of a configuration, then those of plug-ins, decide on failures before those of the table."""
    from build_exporter.cli.failure_plugins import all_rules  # noqa: PLC0415
    from build_exporter.diagnostics.rules import Rank, Rule, use  # noqa: PLC0415 - not for `emit`

    own = (Rule(r.error_class, "you", Rank.OWN, (), r.pattern, r.hint or "", ()) for r in config.failures.rules)
    use(all_rules(own))


def words_of(error: Exception) -> str:
    """Return what an error says, that of a file without the system's number: `FILE: No such file or directory`."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror


def data_home() -> Path:
    """Return the directory of shared data that programs look into: the machine's for root, else the user's."""
    if os.getuid() == 0:
        return Path("/usr/local/share")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def check_journal(journal: str, *, must_exist: bool = False) -> None:
    """Refuse a journal that can never be a directory: a file is in its place, or in that of a directory above it.

    Args:
        journal: its path.
        must_exist: refuse one that is not there, too.

    Raises:
        JournalError: it says what is wrong.
    """
    path = Path(journal).absolute()
    missing: OSError | None = None
    for each in (path, *path.parents):
        try:
            is_directory = stat.S_ISDIR(each.stat().st_mode)
        except OSError as error:
            missing = missing or error
            continue
        if not is_directory:
            raise JournalError(f"no journal at {journal}: {each} is a file; a journal is a directory")
        break
    if must_exist and missing is not None:
        reason = "there is no such directory" if isinstance(missing, FileNotFoundError) else missing.strerror
        raise JournalError(f"no journal at {journal}: {reason}")


def commands(
    command: click.Command, path: str, parent: click.Context | None = None, **settings: Any
) -> Iterator[tuple[click.Command, str, click.Context]]:
    """Yield a command and those below it, each with its whole name and the context for its help."""
    context = click.Context(command, parent, info_name=path.rsplit(maxsplit=1)[-1], **settings)
    yield command, path, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from commands(child, f"{path} {name}", context, **settings)
