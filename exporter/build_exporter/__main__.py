"""The command `build-exporter`, also `python -m build_exporter`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; `run` and plain `emit`, which builds wait for, by ways without the others' libraries."""
    # the shell's completion asks by this variable, and click answers
    if sys.argv[1:2] == ["run"] and "_BUILD_EXPORTER_COMPLETE" not in os.environ:
        from build_exporter.wrapper.command import run  # noqa: PLC0415

        run(sys.argv[2:])
    if sys.argv[1:2] == ["emit"]:
        from build_exporter.wrapper.emit import emit  # noqa: PLC0415

        if emit(sys.argv[2:]):
            return
    if sys.argv[1:2] == ["serve"]:
        from build_exporter.later import load_openssl_later  # noqa: PLC0415

        load_openssl_later()
    from build_exporter.cli import main as cli_main  # noqa: PLC0415
    from build_exporter.cli.standard_output import guard_standard_output  # noqa: PLC0415

    guard_standard_output()
    try:
        cli_main(prog_name="build-exporter")
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


if __name__ == "__main__":
    main()
