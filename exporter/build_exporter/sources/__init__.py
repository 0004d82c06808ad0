"""Sources: foreign records of builds, read from outside while they grow, told as events of the journal.

A dialect is a file here, or a room where it takes several, with a class of the shape of `protocol.Source` and a row
in `registry`. Others add theirs by the entry point group `build_exporter.sources`. `attach` and `runner` bring what
sources tell into the journal; `reading`, `sequence`, `dates`, `first_error`, `make_process` are what dialects share.
"""
