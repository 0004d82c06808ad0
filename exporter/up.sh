#!/bin/sh
# `make up`: sets up what the main job needs, step by step, then hands over to up.py.
set -eu
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
export VENV

say() { printf '\033[1m[%s]\033[0m %s\n' "$1" "$2"; }

# what is running prints the message
trap 'exit 0' INT TERM HUP

if ! "$VENV/bin/build-exporter" --version >/dev/null 2>&1 || [ -z "$(find "$VENV/.run" -newer pyproject.toml 2>/dev/null)" ]; then
    say 1/2 "installing build-exporter into the virtual environment $VENV"
    sh exporter/venv.sh "$VENV" .
    # an interrupted installation ends with success, so that make adds no message of its own
    "$VENV/bin/build-exporter" --version >/dev/null 2>&1 || exit 0
    touch "$VENV/.run"
fi
if ! docker info >/dev/null 2>&1; then
    say 2/2 "Prometheus and Alertmanager of the distribution"
    sh exporter/packages.sh run
fi
trap - INT TERM HUP
exec "$VENV/bin/python" exporter/up.py
