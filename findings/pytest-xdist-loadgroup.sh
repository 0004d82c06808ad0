#!/bin/sh
# pytest 9.2.0 with pytest-xdist 3.8.0, both newest on 29 November 2026: `--dist loadgroup` groups nothing.
#
# Tests marked `xdist_group("g")` are to run on one worker, one after another. xdist puts the group's name behind the node id by
# setting the item's private `_nodeid`; since pytest 9.2 the id is computed from another attribute, so the name is lost and the
# tests are spread over all workers, as with `--dist load`. There is neither an error nor a warning: tests that share a port or
# look at each other's processes fail now and then. With pytest 9.1.1 the same xdist groups them. Seen, as workers that ran
# the eight tests of one group:
#
#     pytest 9.1.1: 1
#     pytest 9.2.0: 2
#
# What it means for us: the tests take a pytest older than 9.2.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > test_group.py <<'PYTHON'
import time

import pytest


@pytest.mark.xdist_group("g")
@pytest.mark.parametrize("number", range(8))
def test_one(number):
    time.sleep(0.2)
PYTHON
seen=
for version in 9.1.1 9.2.0; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install --quiet "pytest==$version" pytest-xdist==3.8.0
    workers=$("venv-$version/bin/python" -m pytest -p no:cacheprovider -n 2 --dist loadgroup -v test_group.py |
        grep -o '^\[gw[0-9]*\]' | sort -u | wc -l)
    echo "pytest $version: $workers"
    seen="$seen$version:$workers "
done
[ "$seen" = "9.1.1:1 9.2.0:2 " ] || { echo "other counts of workers now" >&2; exit 1; }
