#!/bin/sh
# ninja 1.11.1 and 1.13.2 (PyPI): a command that ends with exit status 130 without anybody having pressed Ctrl-C.
#
# 1.11.1 prints the command, "FAILED: a" and what the command said, and ends with 1. 1.13.2 takes the status for an interrupt
# of its own: it prints neither the command nor a word of its output, only "ninja: build stopped: interrupted by user.", and
# ends with 130. A command that uses 130 for reasons of its own fails
# without a trace.
#
# What it means for us: `run` and the reader of make's consoles do not take that line for a person's interruption where
# something else speaks against it; the reason cannot be more than the line.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'rule r\n  command = echo the reason; exit 130\nbuild a: r\n' > "$work/build.ninja"
for version in 1.11.1 1.13.2; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" -q install --disable-pip-version-check "ninja==$version"
    code=0
    said=$("$work/$version/bin/ninja" -C "$work") || code=$?
    lines=$(printf '%s\n' "$said" | grep -c -e '^the reason$' -e '^FAILED: a' || true)
    last=$(printf '%s\n' "$said" | tail -n 1)
    echo "ninja $version: exit $code, $lines lines on the command, last line: $last"
    case "$version:$code:$lines:$last" in
        "1.11.1:1:2:ninja: build stopped: subcommand failed.") ;;
        "1.13.2:130:0:ninja: build stopped: interrupted by user.") ;;
        *) echo "ninja $version behaves differently now" >&2; exit 1 ;;
    esac
done
