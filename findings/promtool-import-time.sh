#!/bin/sh
# promtool of Prometheus 2.42.0 (Debian 12): `tsdb create-blocks-from openmetrics` reads its whole input once for each
# block, and makes a block for every two hours. So its time grows with the square of the time the samples span, whatever
# their number: 20 series with a sample every six hours took 0.9 s of CPU for 10 days, 3.8 s for 40 and 31 s for 160 days,
# an input of 288 kB, and left 640 blocks. The flag that bounds the blocks from above, --max-block-duration, is not in the
# program's help; with it the same input took 0.1 s and left 2 blocks. Prometheus 3 has the same loop and the same flag.
#
# What it means for us: the guide to exports gives the flag. A year of builds would take hours without it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
version=$(apt-cache madison prometheus | awk '$3 ~ /^2\.42\.0/ {print $3; exit}')
test -n "$version" || { echo "this distribution has another Prometheus" >&2; exit 1; }
apt-get -q download "prometheus=$version" > /dev/null
dpkg-deb -x prometheus_*.deb .
python3 - <<'PYTHON'
for days in (10, 40):
    with open(f"{days}.om", "w") as file:
        for series in range(20):
            for hour in range(0, days * 24, 6):
                file.write(f'sample{{series="{series}"}} 1 {1700000000 + hour * 3600}\n')
        file.write("# EOF\n")
PYTHON
import() {  # CPU seconds and number of blocks, of an input and flags
    out=$work/blocks; rm -rf "$out"; file=$1; shift
    python3 - "$work/usr/bin/promtool" "$@" "$file" "$out" <<'PYTHON'
import os, resource, subprocess, sys
tool, *flags, file, out = sys.argv[1:]
subprocess.run([tool, "tsdb", "create-blocks-from", *flags, "openmetrics", file, out], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{used.ru_utime + used.ru_stime:.2f} {len(os.listdir(out))}")
PYTHON
}
short=$(import 10.om); long=$(import 40.om); bounded=$(import 40.om --max-block-duration=9000h)
echo "10 days: $short; 40 days: $long; 40 days in long blocks: $bounded (seconds of CPU, blocks)"
if "$work/usr/bin/promtool" tsdb create-blocks-from --help 2>&1 | grep -q max-block-duration; then
    echo "the help names --max-block-duration now" >&2; exit 1
fi
set -- $short $long $bounded
python3 -c "import sys; a, n, b, m, c, k = map(float, sys.argv[1:]); sys.exit(not (m == 4 * n and b > 10 * c and k < 4))" "$@" || {
    echo "promtool's import behaves differently now" >&2; exit 1
}
