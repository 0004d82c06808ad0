"""The journal: a directory per build, a file of JSON lines per run. It does not interpret events."""
