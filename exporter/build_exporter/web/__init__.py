"""The HTTP face: an ASGI application over the monitor and the collectors, and the server that runs it."""
