"""Sources: read other tools' records of builds as they grow, and emit journal events.

A dialect is a file here, or a room where it takes several, with a class of the shape of `protocol.Source` and a row
in `registry`. Others add theirs by the entry point group `build_exporter.sources`. `attach` and `runner` bring what
sources emit into the journal; `files`, `sequence`, `dates`, `make_process` are what dialects share.
"""
