"""Queries: the JSON forms that the API, the page, commands, reports and the MCP server share. One file a query.

Each query is a function of a `Context` and of what is asked for, and returns a msgspec Struct. Times are Unix seconds,
durations seconds, sizes bytes, ratios 0 to 1; a value that is not known is null. Text that came from a build is plain:
one line where a name or a reason is meant, without terminal escapes and control characters, secrets masked.
"""
