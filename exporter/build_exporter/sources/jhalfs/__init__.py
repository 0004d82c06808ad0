"""LFS by jhalfs, read from its directory: `source` combines `tree`, `log`, `dates` and `reconcile`."""
