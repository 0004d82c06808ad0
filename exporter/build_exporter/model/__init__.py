"""The words everything else is said in: events, states, names and limits. No I/O, no clock."""
