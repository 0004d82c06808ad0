"""Run a command beside a mount that never answers, as that of a server that is gone.

    python dead_mount.py DIRECTORY COMMAND…

The mount is FUSE's, whose server reads no request; it and the command are in a user and mount namespace of their own.
"""

from __future__ import annotations

import ctypes
import os
import sys


def main(place: str, *command: str) -> None:
    """Mount and become the command."""
    server = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"dead", os.fsencode(place), b"fuse", 0, options) != 0:
        raise OSError(ctypes.get_errno(), "cannot mount")
    # the command keeps the descriptor: without it each call would return with an error
    os.set_inheritable(server, True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
