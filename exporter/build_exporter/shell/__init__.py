"""The shell hook: `build-events.sh`, shipped beside this file for builds that have neither Python nor a network."""
