#!/bin/sh
# `venv.sh DIRECTORY REQUIREMENT`: makes the virtual environment DIRECTORY with REQUIREMENT (`.` or `.[dev]`) installed.
# A directory that an interrupted or failed run left half made is made anew.
set -eu
venv=$1 requirement=$2
PYTHON=${PYTHON:-python3}

command -v "$PYTHON" >/dev/null 2>&1 || { echo "Python 3.11 or newer is needed (Debian: apt install python3 python3-venv)" >&2; exit 1; }
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "Python 3.11 or newer is needed, this is $("$PYTHON" --version 2>&1); set PYTHON=" >&2; exit 1; }

child=
interrupted() {
    trap - INT TERM HUP
    [ -z "$child" ] || kill -TERM "-$child" 2>/dev/null || kill -TERM "$child" 2>/dev/null || :
    printf '\nstopped; the same command goes on from here\n'
    # make was interrupted too and ends by itself; another exit code would only add its own message
    exit 0
}
trap interrupted INT TERM HUP

# in a process group of its own: Ctrl-C ends it by the trap above, without its traceback
quietly() {
    setsid "$@" &
    child=$!
    wait "$child"
    child=
}

is_whole() { "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; }

if ! is_whole; then
    if [ -e "$venv" ]; then
        # never remove what is no virtual environment
        [ -e "$venv/pyvenv.cfg" ] || [ -z "$(ls -A "$venv")" ] ||
            { echo "$venv exists and is no virtual environment; set VENV=" >&2; exit 1; }
        echo "$venv is incomplete, making it anew"
        rm -rf "$venv"
    fi
    if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
        sh "$(dirname "$0")/packages.sh" venv
        "$PYTHON" -c 'import ensurepip' 2>/dev/null ||
            { echo "Python's venv module is incomplete (Debian: apt install python3-venv)" >&2; exit 1; }
    fi
    quietly "$PYTHON" -m venv "$venv"
fi
quietly "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$requirement"
