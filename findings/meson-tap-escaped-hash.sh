#!/bin/sh
# Meson 1.12.1 (PyPI) reading Perl's own Test::More (Perl 5.36, Test::Harness 3.44 of Debian 12) and node --test (Node 20.20).
#
# In TAP a `#` in a test's name is written `\#`, so that `# TODO` in a name is no directive. Test::More and Node do so; prove
# reads it so. Meson 1.12.1 takes the directive all the same: the passing test "reads # TODO comments" is UNEXPECTEDPASS,
# and fails a program that prove passes and that exits with 0. "reads # SKIP comments" counts as skipped. Seen:
#
#     ok 1 - reads \# TODO comments
#     prove: PASS, Meson: FAIL
#
# What it means for us: the reader of TAP reads such lines as prove does, so its counts may differ from those of Meson.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install --disable-pip-version-check meson==1.12.1 ninja==1.13.0
cd "$work"
cat > perl.t <<'PERL'
#!/usr/bin/perl
use Test::More tests => 1;
ok(1, "reads # TODO comments");
PERL
cat > node.mjs <<'JAVASCRIPT'
import test from 'node:test';
test('reads # TODO comments', () => {});
JAVASCRIPT
printf '#!/bin/sh\nexec node --test-reporter=tap %s/node.mjs\n' "$work" > node.t
chmod +x perl.t node.t
cat > meson.build <<'MESON'
project('p')
test('perl', find_program('perl.t'), protocol: 'tap')
MESON
writers=perl
if command -v node > /dev/null; then
    writers='perl node'
    echo "test('node', find_program('node.t'), protocol: 'tap')" >> meson.build
fi
PATH="$work/venv/bin:$PATH"
meson setup build > /dev/null
for writer in $writers; do
    "./$writer.t" > out || { echo "$writer.t fails" >&2; exit 1; }
    line=$(grep '^ok 1' out)
    prove=$(prove "./$writer.t" | sed -n 's/^Result: //p')
    meson=OK
    meson test -C build --no-rebuild "$writer" > log || meson=FAIL
    echo "$writer: $line; prove: $prove, Meson: $meson"
    [ "$line:$prove:$meson" = 'ok 1 - reads \# TODO comments:PASS:FAIL' ] || { echo "that is otherwise now" >&2; exit 1; }
done
