"""The HTTP face: an application over the monitor and the collectors, and the server that runs it."""
