"""Checksums: whether the files that steps are built from are there, whole, and the ones that the plan names."""
