"""Sources: foreign records of builds, read from outside while they grow, told as events of the journal.

A dialect is one file here with a class that has the shape of `protocol.Source`, and a row in `registry`. Others add
theirs by the entry point group `build_exporter.sources`.
"""
