#!/bin/sh
# Installs packages of the distribution: `packages.sh run` what `make up` starts, `packages.sh test` what tests need too.
# Without root or apt it says in one line what to install and goes on: what is missing is skipped, by name.
set -u

run='prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager'
test="$run promtool:prometheus amtool:prometheus-alertmanager prometheus-node-exporter:prometheus-node-exporter \
mtail:mtail busybox:busybox-static dash:dash bash:bash shellcheck:shellcheck strace:strace gcc:gcc make:make \
curl:curl file:file openssl:openssl prove:perl cmake:cmake ninja:ninja-build meson:meson python3:python3-venv \
dh:debhelper g++:g++ clang:clang gfortran:gfortran bison:bison \
ccache:ccache distcc:distcc aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu \
/usr/aarch64-linux-gnu/lib/libc.so.6:libc6-dev-arm64-cross \
runtest:dejagnu expect:expect autoreconf:autoconf automake:automake tclsh:tcl /usr/include/gtest/gtest.h:libgtest-dev \
/usr/lib/python3.11/test/regrtest.py:libpython3.11-testsuite"

wanted=
case "${1:-run}" in
    run) pairs=$run ;;
    test) pairs=$test ;;
    *) echo "usage: packages.sh run|test" >&2; exit 2 ;;
esac
for pair in $pairs; do
    case $pair in
        /*) [ -e "${pair%%:*}" ] ;;
        *) command -v "${pair%%:*}" >/dev/null 2>&1 ;;
    esac || wanted="$wanted ${pair#*:}"
done
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, and may not be installed from here:$wanted" >&2
    exit 0
fi
echo "installing from the distribution:$wanted"
# the services of the packages must not start: what is wanted runs on this directory's own configuration
policy=/usr/sbin/policy-rc.d
mine=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" && mine=yes
fi
trap '[ -z "$mine" ] || rm -f "$policy"' EXIT INT TERM
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
{ apt-get -qq update && apt-get -qq install --no-install-recommends --yes $wanted; } >/dev/null 2>&1 ||
    echo "could not be installed:$wanted" >&2
