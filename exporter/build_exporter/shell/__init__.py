"""The shell hook: `build-events.sh`, for builds that have neither Python nor a network."""
