"""Become the command: fork, wait for the journal write, restore everything, exec."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from build_exporter.wrapper.signals import Dispositions

NOT_FOUND = 127
NOT_EXECUTABLE = 126
"""The exit codes of shells for a command that could not be started."""


class Launch:
    """One start of a command, on both sides of the fork.

    The child waits until the parent has written the step into the journal: what the command's own hooks write comes
    after it. A parent that dies lets the child go as well.
    """

    def __init__(self, command: list[str], dispositions: Dispositions) -> None:
        self._command = command
        self._dispositions = dispositions
        self._gate, self._hold = os.pipe()
        self._reason, self._report_end = os.pipe()

    def go(self) -> None:
        """In the parent: let the child become the command."""
        os.close(self._hold)
        os.close(self._gate)
        os.close(self._report_end)

    def error(self) -> str:
        """In the parent, once the child has ended: return why the command could not be started, empty if it was."""
        # whoever still holds the other end open, there is nothing more to come
        os.set_blocking(self._reason, False)
        try:
            return os.read(self._reason, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            return ""

    def leave(self) -> None:
        """In a process between parent and child: hold nothing open that either waits for."""
        for descriptor in (self._hold, self._gate, self._report_end, self._reason):
            os.close(descriptor)

    def become(self, descriptors: dict[int, int]) -> NoReturn:
        """In the child: wait for `go`, take `descriptors` in place of the standard ones, and become the command.

        If it can't be started, report it on standard error and exit, as a shell does.
        """
        try:
            os.close(self._hold)
            os.read(self._gate, 1)
            for standard, descriptor in descriptors.items():
                os.dup2(descriptor, standard)
            self._dispositions.restore()
            reason, code = _execute(self._command)
            os.write(self._report_end, reason.encode("utf-8", "replace")[:4096])
            os.write(2, f"build-exporter run: {reason}\n".encode("utf-8", "surrogateescape"))
            os._exit(code)
        finally:
            os._exit(NOT_EXECUTABLE)


def _execute(command: list[str]) -> tuple[str, int]:
    """Become the command; on failure return the reason and the exit code."""
    name = command[0]
    found: OSError | None = None
    for path in [name] if "/" in name else [f"{directory or '.'}/{name}" for directory in os.get_exec_path()]:
        try:
            os.execv(path, command)  # noqa: S606 - running what the user said is the purpose
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                # a script without its first line: shells, make and env run it by sh
                os.execv("/bin/sh", ["/bin/sh", path, *command[1:]])  # noqa: S606
            found = found or error
        except ValueError:
            break
    if found is not None:
        return f"{name}: {found.strerror}", NOT_EXECUTABLE
    return f"{name}: {'No such file or directory' if '/' in name else 'command not found'}", NOT_FOUND
