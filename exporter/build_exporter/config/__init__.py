"""The configuration file: its schema, a loader that reports line and column, and its reference page."""
