"""Collectors: the tracker's state, the host and the exporter itself as metric families.

A collector is a class with a `collect` method in a file of its own and a row in `registry`. Each is guarded: one
that raises or hangs shows in its own `build_exporter_collector_success` and costs the others nothing.
"""
