#!/bin/sh
# `make up`: sets up what the main job needs, told step by step, then hands over to up.py.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

say() { printf '\033[1m[%s]\033[0m %s\n' "$1" "$2"; }

command -v "$PYTHON" >/dev/null 2>&1 || { echo "Python 3.11 or newer is needed (Debian: apt install python3 python3-venv)" >&2; exit 1; }
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "Python 3.11 or newer is needed, this is $("$PYTHON" --version 2>&1)" >&2; exit 1; }

if [ ! -x "$VENV/bin/python" ]; then
    say 1/3 "making the virtual environment $VENV"
    if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes python3-venv >/dev/null
    fi
    "$PYTHON" -m venv "$VENV"
fi
if [ ! -x "$VENV/bin/build-exporter" ] || [ -z "$(find "$VENV/.run" -newer pyproject.toml 2>/dev/null)" ]; then
    say 2/3 "installing build-exporter into it"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --editable .
    touch "$VENV/.run"
fi
if ! docker info >/dev/null 2>&1; then
    say 3/3 "Prometheus and Alertmanager of the distribution"
    sh exporter/packages.sh run
fi
exec "$VENV/bin/python" exporter/up.py
