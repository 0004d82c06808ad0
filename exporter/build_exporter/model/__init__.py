"""The shared types: events, states, names and limits. No I/O, no clock."""
