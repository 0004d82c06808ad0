"""Analysis: what a build cost, what will not fit, what got slower, whether it is late.

Pure functions of tracker state and summaries of earlier runs. They return msgspec Structs, whose JSON forms commands,
API, page, reports and alerts share. Times are Unix seconds, durations seconds, sizes bytes, ratios 0 to 1 or multiples.
"""
