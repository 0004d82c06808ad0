#!/bin/sh
# prove of Perl 5.36 (Debian 12, Test::Harness 3.44) and Meson 1.12.1 (PyPI): one stream of TAP version 14.
#
# TAP 14 was published in 2022, and says that a reader of TAP 13 can read it. prove passes every subtest, says so, and fails
# the file for its first line: "All 2 subtests passed" stands above "Result: FAIL", with the parse error "we don't know about
# versions later than 13", exit status 1. Meson says OK. Without the line "TAP version 14" prove passes too.
#
# What it means for us: such a file counts as one error of the suite `prove`, with its name; its tests count as passed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check meson==1.12.1 ninja==1.13.0
printf '#!/bin/sh\nprintf "TAP version 14\\n1..2\\nok 1 - a\\nok 2 - b\\n"\n' > new.t
sed 's/TAP version 14/TAP version 13/' new.t > old.t
chmod +x new.t old.t
printf "project('p')\ntest('new', find_program('new.t'), protocol: 'tap')\n" > meson.build
PATH="$work/venv/bin:$PATH"
harness=$(perl -MTest::Harness -e 'print $Test::Harness::VERSION')
code=0
prove ./new.t > out || code=$?
grep -E 'subtests|Parse errors|Result' out
old=$(prove ./old.t | sed -n 's/^Result: //p')
meson setup build > /dev/null
meson=OK
meson test -C build --no-rebuild > log || meson=FAIL
echo "prove $harness: exit status $code, with TAP version 13 $old; Meson: $meson"
if [ "$harness:$code:$old:$meson" != 3.44:1:PASS:OK ] || ! grep -q 'All 2 subtests passed' out || ! grep -q 'Result: FAIL' out; then
    echo "that is otherwise now" >&2
    exit 1
fi
