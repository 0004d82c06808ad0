#!/bin/sh
# Installs packages of the distribution: `packages.sh run` what `make up` starts, `test` what tests need too, `venv` what a
# virtual environment needs. No service of theirs is started or enabled. Without root or apt it names what to install and
# goes on; what is missing is skipped, by name.
set -u

run='prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager'
test="$run promtool:prometheus amtool:prometheus-alertmanager prometheus-node-exporter:prometheus-node-exporter \
prometheus-pushgateway:prometheus-pushgateway mtail:mtail busybox:busybox-static dash:dash bash:bash shellcheck:shellcheck strace:strace gcc:gcc make:make \
chromium:chromium curl:curl file:file openssl:openssl prove:perl cmake:cmake ninja:ninja-build meson:meson python3:python3-venv \
dh:debhelper g++:g++ clang:clang gfortran:gfortran bison:bison \
ccache:ccache distcc:distcc aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu \
/usr/aarch64-linux-gnu/lib/libc.so.6:libc6-dev-arm64-cross \
zsh:zsh fish:fish groff:groff-base tmux:tmux runtest:dejagnu expect:expect autoreconf:autoconf automake:automake tclsh:tcl /usr/include/gtest/gtest.h:libgtest-dev \
pg_ctlcluster:postgresql mariadbd:mariadb-server-core victoria-metrics:victoria-metrics \
/usr/lib/python3.11/test/test_grammar.py:libpython3.11-testsuite"

case "${1:-run}" in
    run) pairs=$run ;;
    test) pairs=$test ;;
    venv) pairs='/var/lib/dpkg/info/python3-venv.list:python3-venv' ;;
    *) echo "usage: packages.sh run|test|venv" >&2; exit 2 ;;
esac
# The packages of what is not there, in one line.
lacking() {
    for pair in $pairs; do
        case $pair in
            /*) [ -e "${pair%%:*}" ] ;;
            *) command -v "${pair%%:*}" >/dev/null 2>&1 ;;
        esac || printf '%s ' "${pair#*:}"
    done
}
wanted=$(lacking)
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, and root or apt is needed for it: $wanted" >&2
    exit 0
fi

# What starts at boot: links of systemd and of System V's run levels.
boot_links() { find /etc/systemd /etc/rc?.d -type l 2>/dev/null | sort; }

work=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
own_policy=
restore() {
    boot_links > "$work/after"
    comm -13 "$work/before" "$work/after" | while IFS= read -r link; do rm -f "$link"; done
    [ -z "$own_policy" ] || rm -f "$policy"
    rm -rf "$work"
}
boot_links > "$work/before"
trap restore EXIT
trap 'printf "\nstopped; dpkg may have been interrupted: dpkg --configure -a\n"; exit 0' INT TERM HUP
# packages start their services unless this forbids it
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" && own_policy=yes
fi
export DEBIAN_FRONTEND=noninteractive

# One line that changes on a terminal, a line a package elsewhere.
progress() {
    while IFS= read -r line; do
        case $line in
            Get:* | Unpacking* | "Setting up"*) ;;
            *) continue ;;
        esac
        if [ -t 1 ]; then printf '\r\033[K  %.70s' "$line"; else case $line in Setting*) echo "  $line" ;; esac; fi
    done
    [ ! -t 1 ] || printf '\r\033[K'
}

echo "installing from the distribution, no service is started or enabled: $wanted"
# shellcheck disable=SC2086 # a list of words
{ apt-get -q update && apt-get -q install --no-install-recommends --yes $wanted; } 2>"$work/errors" | progress
wanted=$(lacking)
[ -z "$wanted" ] || { echo "could not be installed: $wanted" >&2; tail -n 3 "$work/errors" >&2; }
