#!/bin/sh
# Go 1.26.8: `go test -json` of a package without tests, with and without -cover.
#
# `go doc test2json` says of the action skip: "the test was skipped or the package contained no tests". With -cover the same
# package passes: the last event is "pass", although nothing ran. The row on the console loses its first word as well: in
# place of "?   " there is nothing before the tab. So the number of packages that passed depends on whether coverage is
# measured. Seen:
#
#     plain: skip, "?   \tp\t[no test files]"
#     cover: pass, "\tp\t\tcoverage: 0.0% of statements"
#
# What it means for us: the row of -cover counts as skipped, and -json is read by the text in its events, not by their action.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOCACHE="$work/cache" GOPATH="$work/go" GOFLAGS=-modcacherw GOTOOLCHAIN=go1.26.8
printf 'module p\n\ngo 1.26\n' > go.mod
printf 'package p\n\nfunc F() int { return 1 }\n' > p.go
for how in plain cover; do
    flags=; [ "$how" = plain ] || flags=-cover
    action=$(go test -json $flags . | sed -n 's/.*"Action":"\([a-z]*\)".*"Elapsed".*/\1/p')
    row=$(go test $flags . | sed 's/\t[0-9.]*s//' | head -n 1)
    printf '%s, %s: %s, "%s"\n' "$(go env GOVERSION)" "$how" "$action" "$row"
    tab=$(printf '\t')
    case "$how:$action:$row" in
        "plain:skip:?   ${tab}p${tab}[no test files]" | "cover:pass:${tab}p${tab}${tab}coverage: 0.0% of statements") ;;
        *) echo "go test reports something else now" >&2; exit 1 ;;
    esac
done
