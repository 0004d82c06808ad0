#!/bin/sh
# VictoriaMetrics 1.79.5 (Debian 12, victoria-metrics 1.79.5+ds1-2+b5): an exemplar behind a sample without labels.
#
# `jobs_total 1 # {trace_id="x"} 0.5` is valid OpenMetrics: a counter with an exemplar. It is stored as a metric whose name is
# `jobs_total 1 #`, with the exemplar's label as its own and 0.5 as its value; `jobs_total` does not exist. With a label before
# the value, `jobs_total{a="b"} 1 # {trace_id="x"} 0.5`, the exemplar is dropped, as it should be. Nothing is logged, and the
# import is answered with 204. Seen:
#
#     {"__name__":"jobs_total 1 #","trace_id":"x"}
#     {"__name__":"labelled_total","a":"b"}
#
# What it means for us: the exporter sends no exemplars, since several of its counters have no labels.
set -eu
version=1.79.5+ds1-2+b5
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"
apt-get -q download "victoria-metrics=$version" > /dev/null 2>&1
dpkg-deb -x ./*.deb .
port=28428
usr/bin/victoria-metrics -storageDataPath="$work/data" -httpListenAddr="127.0.0.1:$port" -search.latencyOffset=0s 2> log &
server=$!
url=http://127.0.0.1:$port
for _ in $(seq 100); do curl -fs "$url/health" > /dev/null && break; sleep 0.1; done
curl -fs --data-binary @- "$url/api/v1/import/prometheus" <<'METRICS'
# TYPE jobs counter
jobs_total 1 # {trace_id="x"} 0.5
# TYPE labelled counter
labelled_total{a="b"} 1 # {trace_id="x"} 0.5
# EOF
METRICS
series=
for _ in $(seq 100); do
    series=$(curl -fsg "$url/api/v1/series?match[]={__name__!=\"\"}")
    case $series in *labelled_total*) break ;; esac
    sleep 0.1
done
echo "$series"
curl -fsg "$url/api/v1/query?query={trace_id=\"x\"}" | grep -o '"value":.*"]'
case $series in
    *'{"__name__":"jobs_total 1 #","trace_id":"x"},{"__name__":"labelled_total","a":"b"}'*) ;;
    *) echo "VictoriaMetrics stores other series now" >&2; exit 1 ;;
esac
