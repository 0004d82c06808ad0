"""Checksums: whether the source files of steps exist, are complete and match the plan."""
