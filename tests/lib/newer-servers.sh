#!/bin/sh
# Builds a Prometheus 3 and a new Alertmanager from the Go module proxy, for the tests of rules and alerting, and prints their
# directory: sh tests/lib/newer-servers.sh. Distributions ship old ones. It takes Go, minutes and 2 GB once; what was built
# is kept in the user's cache, where tests find it. BUNDLE_TOOLS=$(sh tests/lib/newer-servers.sh) runs every test with both.
set -eu

prometheus=v0.316.0 # Prometheus 3.16
alertmanager=v0.35.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/build-exporter
place=$cache/servers-$prometheus-$alertmanager

if [ ! -x "$place/amtool" ]; then
    command -v go >/dev/null || { echo "newer-servers.sh: Go is not installed" >&2; exit 1; }
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/building.XXXXXX")
    trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
    export GOBIN="$work/bin" CGO_ENABLED=0
    go install -p 1 -ldflags '-s -w' "github.com/prometheus/prometheus/cmd/prometheus@$prometheus" \
        "github.com/prometheus/prometheus/cmd/promtool@$prometheus" >&2
    # its go.mod replaces modules, which go install refuses
    source=$(cd "$work" && go mod download -json "github.com/prometheus/alertmanager@$alertmanager" |
        sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    cp -r "$source" "$work/alertmanager"
    chmod -R u+w "$work/alertmanager"
    (cd "$work/alertmanager" && go build -p 1 -ldflags '-s -w' -o "$GOBIN/" ./cmd/alertmanager ./cmd/amtool) >&2
    rm -rf "$place"
    mv "$work/bin" "$place"
fi
echo "$place"
