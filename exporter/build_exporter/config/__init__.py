"""The configuration file: what may stand in it, reading it with errors that say where, and its reference page."""
