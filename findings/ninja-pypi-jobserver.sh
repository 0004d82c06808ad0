#!/bin/sh
# ninja 1.11.1 of Debian 12 (ninja-build 1.11.1-2~deb12u1) and of PyPI (ninja 1.11.1.4), below GNU make 4.3 -j1 and -j2.
#
# The same version, and not the same program: PyPI's is Kitware's fork ("1.11.1.git.kitware.jobserver-1"), which takes part in
# make's jobserver. Below `make -j2` Debian's ninja runs as many commands at once as it likes (CPUs + 1 or 2), PyPI's one
# or two. So the same Makefile loads a machine differently after `pip install ninja` or a virtual environment that shadows
# /usr/bin/ninja, and with make -j2 a large build takes longer or runs out of memory. Seen, most commands at once of 16:
#
#     Debian 1.11.1                       more than 2
#     PyPI 1.11.1.git.kitware.jobserver-1 2
#
# It needs two CPUs or more: on one, Debian's runs two at once as well.
#
# What it means for us: -j of make is shown as the build's; the page on toolchains says that ninja may run more below it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download 'ninja-build=1.11.1-2~deb12u1' > /dev/null 2>&1
dpkg-deb -x ./*.deb debian
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check ninja==1.11.1.4
cat > command.sh <<'SHELL'
: > "running.$1"
ls running.* | wc -l >> counts
sleep 0.3
rm "running.$1"
SHELL
{
    printf 'rule r\n  command = sh command.sh $out\n'
    for n in $(seq 16); do printf 'build o%s: r\n' "$n"; done
} > build.ninja
printf 'all:\n\t+$(NINJA)\n' > Makefile
for ninja in debian/usr/bin/ninja venv/bin/ninja; do
    rm -f counts .ninja_log
    make -s -j2 NINJA="$ninja" > log 2>&1 || { cat log; exit 1; }
    most=$(sort -n counts | tail -n 1)
    version=$("$ninja" --version)
    echo "ninja $version: $most commands at once below make -j2"
    case "$version:$((most > 2))" in
        1.11.1:1 | 1.11.1.git.kitware.jobserver-1:0) ;;
        *) echo "that is otherwise now" >&2; exit 1 ;;
    esac
done
