#!/bin/sh
# bmake 20200710 (Debian 12, bmake 20200710-15+b1): the exit status of `bmake -k`.
#
# A Makefile whose first target needs a and b; the command of a fails. `bmake -k` says "*** Error code 1 (continuing)",
# "`all' not remade because of errors." and ends with 0: the build has succeeded, for whoever asks the exit status. With
# -j1, with the failing target named on the command line, or without -k it ends with 1. GNU make -k ends with 2. Seen:
#
#     bmake -k      0
#     bmake -k -j1  1
#     bmake -k a    1
#     bmake         1
#
# What it means for us: `run` takes the exit status as it is, so a step of `bmake -k` succeeds; the make source reads the
# console and records the failure. The page of the make source says so.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download bmake=20200710-15+b1 > /dev/null 2>&1
dpkg-deb -x ./*.deb .
printf 'all: a b\na:\n\tfalse\nb:\n\ttrue\n' > Makefile
for flags in -k '-k -j1' '-k a' ''; do
    code=0
    usr/bin/bmake -m "$work/usr/share/mk" $flags > out 2>&1 || code=$?
    printf 'bmake %-6s %s\n' "$flags" "$code"
    case $flags in
        -k) [ "$code" = 0 ] && grep -q "^.all' not remade because of errors" out ;;
        *) [ "$code" = 1 ] ;;
    esac || { cat out; echo "bmake ends with something else now" >&2; exit 1; }
done
