#!/bin/sh
# ninja 1.11.1.1 and 1.13.0 (PyPI), .ninja_log versions 5 and 7.
#
# The third column of .ninja_log is named mtime in both. For an ordinary edge (no restat, no depfile) 1.11 writes the
# modification time of the output; 1.13 writes the time at which the command started, in nanoseconds too, whatever time the
# output bears. So the wall-clock time of a build can be read from a version 7 log alone, and a version 5 log of outputs
# that were copied with old times (cp -p, tar) says nothing about when they were built.
#
# Seen: an output whose command sets its time to 2001 stands as 1000000000000000000 in the log of 1.11, and as the start of
# the command, two seconds before its end, in that of 1.13.
#
# What it means for us: the version line of the log decides how its times are read.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for version in 1.11.1.1 1.13.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" -q install --disable-pip-version-check "ninja==$version"
    mkdir "$work/build-$version"
    cd "$work/build-$version"
    printf 'rule slow\n  command = sleep 2; : > $out; touch -d @1000000000 $out\nbuild out: slow\n' > build.ninja
    began=$(date +%s)
    "$work/$version/bin/ninja" > /dev/null
    column=$(awk -F '\t' '$4 == "out" { print substr($3, 1, 10) }' .ninja_log)
    echo "ninja $version: $(head -n 1 .ninja_log), third column $column, command started $began, output's time 1000000000"
    case $version in
        1.11*) [ "$column" -eq 1000000000 ] ;;
        *) [ $((column - began)) -ge 0 ] && [ $((column - began)) -le 1 ] ;;
    esac || { echo "ninja $version writes another time now" >&2; exit 1; }
done
