"""`run` for help and completion; the wrapper itself parses its options without click."""

from __future__ import annotations

import click

from build_exporter.wrapper.command import run as run_wrapped
from build_exporter.wrapper.options import OPTIONS

_HELP = """Run COMMAND as a step of a build, or as a whole build, and record it in the journal.

Exit code, signals, terminal and output are the command's own. Its duration, CPU time, peak memory and I/O, those of
all its processes together, are recorded.

With --step or --phase the command is one step: of the run around it, else of the build's newest run if that is
unfinished, else of a new one. With neither it is the whole build, which takes up the newest run unless that has
succeeded.

\b
Examples:
  build-exporter run --build lfs-12.4 -- make
  build-exporter run --phase chapter-8 --step gcc --log gcc.log -- make -j8
"""


class _PassThrough(click.Command):
    """Hands the command line as it is to the wrapper's parser, which the quick way uses too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            # comes back only for --help
            run_wrapped(list(args))
        return super().parse_args(ctx, ["--help"] if not ctx.resilient_parsing else args)


run = _PassThrough(
    "run",
    help=_HELP,
    short_help="Run a command as a recorded step or build.",
    options_metavar="[OPTIONS] --",
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False},
    params=[
        *(
            click.Option(
                [f"--{option.name}"],
                metavar=option.metavar or None,
                help=option.help,
                is_flag=not option.metavar,
                type=click.Path() if option.metavar in ("DIR", "FILE") else None,
            )
            for option in OPTIONS
        ),
        click.Argument(["command"], nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND [ARGUMENT]..."),
    ],
)
