"""The builds for language models: a server of the Model Context Protocol with bounded, read-only answers."""
