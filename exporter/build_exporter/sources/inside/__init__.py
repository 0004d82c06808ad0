"""Inside a step: what its log says while it runs. How far it is, what its tests gave, and why it failed.

Lines are read in `watch`; each kind of meaning has a file: `progress`, `suites`.
"""
