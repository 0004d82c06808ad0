"""Diagnostics: what lines of a build's output say about a failure, from the text alone.

The room is pure: lines go in, a reason with its class and place comes out. Sources, the `run` wrapper and the tracker's
readers may import it, so it knows no room but `model`; the card, which needs state as well, is made in `failures`.
`terminal` shows what a terminal would have shown, `prefix` removes what others put before a line, `kinds` says what
sort of line it is, `rules` which lines are evidence of what, `diagnosis` picks the cause.
"""
