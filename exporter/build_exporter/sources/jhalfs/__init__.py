"""LFS by jhalfs, read from its directory: `source` puts together what `tree`, `log`, `dates` and `judge` tell."""
