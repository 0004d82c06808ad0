"""Ways to make real tools fail: what is run, of which class that is, and what the reason must hold.

Each script runs in an empty directory; its output, both streams, is one log of the corpus.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Scenario(NamedTuple):
    """One failure: its name, class, words of the right reason, the script, and the locale where it is not C."""

    name: str
    error_class: str
    reason: str
    script: str
    locale: str = "C.UTF-8"


BAD = "printf 'int f(void) { return missing; }\\n' > bad.c; printf 'int g(void) { return 1; }\\n' > good.c; "
MAKE = "printf 'all: good.o bad.o other.o\\n%%.o: %%.c\\n\\t$(CC) -O2 -Wall -c $< -o $@\\nother.o: good.c\\n\\t$(CC) -c $< -o $@\\n' > Makefile; "
HEADER = "printf '#include <no_such_header.h>\\nint main(void) { return 0; }\\n' > a.c; "
UNDEF = "printf 'int gone(void);\\nint main(void) { return gone(); }\\n' > a.c; "
ONE = "printf 'all:\\n\\t%s\\n' '{}' > Makefile; make"
CMAKE = "printf 'cmake_minimum_required(VERSION 3.13)\\nproject(demo C)\\n{}\\n' > CMakeLists.txt; cmake -B out ."
MESON = "printf \"project('demo', 'c')\\n{}\\n\" > meson.build; meson setup out"
CONFIGURE = (
    "printf 'AC_INIT([demo],[1])\\nAC_PROG_CC\\n{}\\nAC_OUTPUT\\n' > configure.ac; autoreconf -fi && ./configure"
)
NINJA = "printf 'rule r\\n command = {}\\nbuild out: r\\n' > build.ninja; ninja"
CARGO = "cargo init -q --name demo . 2>&1; printf '{}\\n' > src/main.rs; cargo build --offline"
GO = "printf 'module example.org/demo\\n\\ngo 1.19\\n' > go.mod; printf '{}\\n' > main.go; go build ./..."


def one(command: str) -> str:
    """Return a script with a Makefile of one command."""
    return ONE.format(command)


SCENARIOS: Final = (
    Scenario("gcc", "compiler-error", "bad.c:1:22: error:", BAD + "gcc -c bad.c"),
    Scenario("gcc-make-j", "compiler-error", "bad.c:1:22: error:", BAD + MAKE + "make -j4"),
    Scenario("gcc-make-k", "compiler-error", "bad.c:1:22: error:", BAD + MAKE + "make -k"),
    Scenario("gcc-make-sync", "compiler-error", "bad.c:1:22: error:", BAD + MAKE + "make -j3 -O -k"),
    Scenario("gcc-werror", "compiler-error", "[-Werror=", "printf 'int f(void) { int x; return 0; }\\n' > a.c; gcc -Wall -Werror -c a.c"),
    Scenario("clang", "compiler-error", "bad.c:1:22: error:", BAD + "clang -c bad.c"),
    Scenario("ninja-gcc", "compiler-error", "bad.c:1:22: error:", BAD + NINJA.format("gcc -c bad.c")),
    Scenario("cmake-build", "compiler-error", "bad.c:1:22: error:", BAD + CMAKE.format("add_library(x bad.c good.c)") + " && cmake --build out -j2"),
    Scenario("gfortran", "compiler-error", "Error:", "printf 'program a\\n  x = y z\\nend program\\n' > a.f90; gfortran -c a.f90"),
    Scenario("javac", "compiler-error", "A.java:1: error:", "printf 'class A { Missing m; }\\n' > A.java; javac A.java"),
    Scenario("rustc", "compiler-error", "error[E0425]", CARGO.format("fn main() { let _x = missing; }")),
    Scenario("go", "compiler-error", "undefined: missing", GO.format("package main\\n\\nfunc main() { missing() }")),
    Scenario("gcc-de", "compiler-error", "bad.c:1:22: Fehler:", BAD + MAKE + "make", "de_DE.UTF-8"),
    Scenario("gcc-fr", "compiler-error", "bad.c:1:22: erreur", BAD + MAKE + "make", "fr_FR.UTF-8"),
    Scenario("gcc-zh", "compiler-error", "bad.c:1:22: 错误", BAD + MAKE + "make", "zh_CN.UTF-8"),
    Scenario("gcc-ja", "compiler-error", "bad.c:1:22: エラー", BAD + MAKE + "make", "ja_JP.UTF-8"),
    Scenario("header-gcc", "missing-header", "no_such_header.h", HEADER + one("gcc -c a.c")),
    Scenario("header-clang", "missing-header", "no_such_header.h", HEADER + one("clang -c a.c")),
    Scenario("header-ninja", "missing-header", "no_such_header.h", HEADER + NINJA.format("gcc -c a.c")),
    Scenario("header-de", "missing-header", "no_such_header.h", HEADER + one("gcc -c a.c"), "de_DE.UTF-8"),
    Scenario("header-zh", "missing-header", "no_such_header.h", HEADER + one("gcc -c a.c"), "zh_CN.UTF-8"),
    Scenario("header-configure", "missing-header", "no_such.h", CONFIGURE.format("AC_CHECK_HEADER([no_such.h], [], [AC_MSG_ERROR([no_such.h not found])])")),
    Scenario("library-ld", "missing-library", "-lnosuch", UNDEF + one("gcc a.c -lnosuch -o a")),
    Scenario("library-gold", "missing-library", "-lnosuch", UNDEF + one("gcc -fuse-ld=gold a.c -lnosuch -o a")),
    Scenario("library-lld", "missing-library", "-lnosuch", UNDEF + one("clang -fuse-ld=lld a.c -lnosuch -o a")),
    Scenario("library-configure", "missing-library", "libnosuch", CONFIGURE.format("AC_CHECK_LIB([nosuch],[f],[],[AC_MSG_ERROR([libnosuch not found])])")),
    Scenario("library-run", "missing-library", "libx.so", "echo 'int f(void){return 0;}' > x.c; gcc -shared -fPIC x.c -o libx.so; printf 'int f(void); int main(void){return f();}\\n' > a.c; gcc a.c -L. -lx -o a; rm libx.so; ./a"),
    Scenario("link-ld", "linker-error", "undefined reference to", UNDEF + one("gcc a.c -o a")),
    Scenario("link-gold", "linker-error", "undefined reference to", UNDEF + one("gcc -fuse-ld=gold a.c -o a")),
    Scenario("link-lld", "linker-error", "undefined symbol: gone", UNDEF + one("clang -fuse-ld=lld a.c -o a")),
    Scenario("link-mold", "linker-error", "undefined symbol: gone", UNDEF + one("clang -fuse-ld=mold a.c -o a")),
    Scenario("link-twice", "linker-error", "multiple definition", "echo 'int x = 1; int main(void){return 0;}' > a.c; echo 'int x = 2;' > b.c; gcc a.c b.c"),
    Scenario("link-fr", "linker-error", "gone", UNDEF + one("gcc a.c -o a"), "fr_FR.UTF-8"),
    Scenario("asm-gas", "assembler-error", "no such instruction", "printf '\\tnosuch %%eax\\n' > a.s; " + one("as a.s -o a.o")),
    Scenario("asm-inline", "assembler-error", "Error:", "printf 'void f(void) { __asm__(\"nosuch\"); }\\n' > a.c; gcc -c a.c"),
    Scenario("asm-clang", "assembler-error", "invalid instruction mnemonic", "printf 'void f(void) { __asm__(\"nosuch\"); }\\n' > a.c; clang -c a.c"),
    Scenario("asm-nasm", "assembler-error", "a.asm:2: error:", "printf 'mov eax\\nnosuch eax\\n' > a.asm; nasm -f elf64 a.asm"),
    Scenario("configure-cc", "configure-error", "C compiler cannot create executables", CONFIGURE.format("") + " CC=false; ./configure CC='gcc -nosuch'"),
    Scenario("configure-own", "configure-error", "this machine will not do", CONFIGURE.format("AC_MSG_ERROR([this machine will not do])")),
    Scenario("cmake-own", "configure-error", "not today", CMAKE.format('message(FATAL_ERROR "not today")')),
    Scenario("meson-own", "configure-error", "not today", MESON.format("error('not today')")),
    Scenario("autoconf-macro", "configure-error", "undefined macro", CONFIGURE.format("AC_NO_SUCH_MACRO")),
    Scenario("program-shell", "missing-program", "nosuchprog", one("nosuchprog --version | cat && nosuchprog")),
    Scenario("program-make", "missing-program", "nosuchcc", one("nosuchcc -c a.c")),
    Scenario("program-bash", "missing-program", "nosuchprog: command not found", "printf 'set -e\\nnosuchprog\\n' > x.sh; bash x.sh"),
    Scenario("program-de", "missing-program", "nosuchcc", one("nosuchcc -c a.c"), "de_DE.UTF-8"),
    Scenario("program-meson", "missing-program", "nosuchprog", MESON.format("find_program('nosuchprog')")),
    Scenario("program-env", "missing-program", "nosuchlang", "printf '#!/usr/bin/env nosuchlang\\n' > x; chmod +x x; ./x"),
    Scenario("patch-hunk", "patch-failed", "FAILED", "printf 'a\\nb\\n' > f; printf -- '--- f\\n+++ f\\n@@ -1,2 +1,2 @@\\n x\\n-y\\n+z\\n' > p; " + one("patch -p0 < p")),
    Scenario("patch-nofile", "patch-failed", "can't find file to patch", "printf -- '--- a/no\\n+++ b/no\\n@@ -1 +1 @@\\n-y\\n+z\\n' > p; patch -p1 < p < /dev/null; patch -f -p1 -i p"),
    Scenario("patch-git", "patch-failed", "patch failed: f:1", "git init -q .; printf 'a\\n' > f; printf -- '--- a/f\\n+++ b/f\\n@@ -1 +1 @@\\n-y\\n+z\\n' > p; git apply p"),
    Scenario("test-make", "test-failure", "FAIL: two.sh", one("echo PASS: one.sh; echo FAIL: two.sh; exit 1")),
    Scenario("test-ctest", "test-failure", "bad", CMAKE.format("enable_testing()\\nadd_test(good true)\\nadd_test(bad false)") + " && cd out && ctest"),
    Scenario("test-cargo", "test-failure", "test tests::bad ... FAILED", CARGO.format("fn main() {} #[cfg(test)] mod tests {{ #[test] fn bad() {{ assert!(false); }} }}".replace("{{", "{").replace("}}", "}")) + "; cargo test --offline"),
    Scenario("test-go", "test-failure", "--- FAIL: TestBad", GO.format("package main\\n\\nfunc main() {}") + "; printf 'package main\\nimport \"testing\"\\nfunc TestBad(t *testing.T) { t.Fatal(1) }\\n' > a_test.go; go test ./..."),
    Scenario("test-unittest", "test-failure", "FAIL: test_bad", "printf 'import unittest\\nclass T(unittest.TestCase):\\n    def test_bad(self): self.assertEqual(1, 2)\\n' > test_a.py; python3 -m unittest test_a"),
    Scenario("test-prove", "test-failure", "not ok", "mkdir t; printf 'print \"1..2\\\\nok 1\\\\nnot ok 2 - bad\\\\n\";' > t/a.t; prove -v t"),
    Scenario("memory-ulimit", "out-of-memory", "", "ulimit -v 300000; python3 -c \"b'x' * 1_000_000_000\""),
    Scenario("memory-gcc", "out-of-memory", "out of memory", "python3 -c \"print('int x[] = {' + '1,' * 6000000 + '};')\" > a.c; (ulimit -v 250000; gcc -O0 -c a.c)"),
    Scenario("memory-perl", "out-of-memory", "ut of memory", "ulimit -v 100000; perl -e '$x = \"a\" x 900_000_000'"),
    Scenario("killed-shell", "killed", "Killed", "printf '#!/bin/sh\\nkill -9 $$\\n' > x; chmod +x x; printf './x\\necho $?\\nexit 137\\n' > y.sh; bash y.sh"),
    Scenario("killed-make", "killed", "Killed", "printf '#!/bin/sh\\nkill -9 $$\\n' > x; chmod +x x; " + one("./x")),
    Scenario("killed-cc1", "killed", "Killed signal terminated program", "mkdir b; printf '#!/bin/sh\\nkill -9 $$\\n' > b/cc1; chmod +x b/cc1; echo 'int x;' > a.c; " + one("gcc -B b/ -c a.c")),
    Scenario("disk-tar", "disk-full", "Wrote only", "mkdir m; mount -t tmpfs -o size=64k tmpfs m; head -c 300000 /dev/urandom > big; tar cf a.tar big; (cd m && tar xf ../a.tar); umount m"),
    Scenario("disk-gcc", "disk-full", "No space left on device", "mkdir m; mount -t tmpfs -o size=16k tmpfs m; python3 -c \"print('int x[] = {' + '1,' * 20000 + '};')\" > a.c; gcc -c a.c -o m/a.o; umount m"),
    Scenario("disk-cp-de", "disk-full", "m/big", "mkdir m; mount -t tmpfs -o size=64k tmpfs m; head -c 300000 /dev/urandom > big; cp big m/big; umount m", "de_DE.UTF-8"),
    Scenario("permission-sh", "permission-denied", "Permission denied", "echo true > x.sh; " + one("./x.sh")),
    Scenario("permission-user", "permission-denied", "Permission denied", "mkdir d; chmod 755 . d; echo x > f; chmod 644 f; setpriv --reuid 65534 --clear-groups install f d/f"),
    Scenario("permission-ro", "permission-denied", "Read-only file system", "mkdir m; mount -t tmpfs -o ro tmpfs m; cp /etc/hostname m/x; umount m"),
    Scenario("download-curl", "download-failed", "curl: (7)", one("curl -fsSO http://127.0.0.1:9/x.tar.gz")),
    Scenario("download-host", "download-failed", "curl: (6)", one("curl -fsSO http://nosuch.invalid/x.tar.gz")),
    Scenario("download-wget", "download-failed", "failed: Connection refused", "wget --tries=1 http://127.0.0.1:9/x.tar.gz"),
    Scenario("download-git", "download-failed", "unable to access", "git clone http://127.0.0.1:9/x.git"),
    Scenario("checksum-sha", "checksum-mismatch", "a.tar.gz: FAILED", "echo x > a.tar.gz; printf '%064d  a.tar.gz\\n' 0 > S; " + one("sha256sum -c S")),
    Scenario("checksum-md5", "checksum-mismatch", "a.tar.gz: FAILED", "echo x > a.tar.gz; printf '%032d  a.tar.gz\\n' 0 > S; md5sum -c S"),
    Scenario("checksum-cmake", "checksum-mismatch", "HASH mismatch", "echo x > f; " + CMAKE.format("file(DOWNLOAD file://${CMAKE_SOURCE_DIR}/f ${CMAKE_BINARY_DIR}/g EXPECTED_HASH SHA256=0000000000000000000000000000000000000000000000000000000000000000)")),
    Scenario("timeout-verbose", "timeout", "timeout: sending signal TERM", "timeout -v 0.2 sleep 9"),
    Scenario("timeout-make", "timeout", "timeout: sending signal", one("timeout -v 0.2 sleep 9")),
    Scenario("timeout-kill", "timeout", "timeout: sending signal", "timeout -v -s KILL 0.2 sh -c 'echo at work; sleep 9'"),
    Scenario("interrupt-make", "interrupted", "Interrupt", "printf 'all:\\n\\t@sleep 9\\n' > Makefile; timeout -s INT 0.5 make"),
    Scenario("interrupt-term", "interrupted", "Terminated", "printf 'all:\\n\\t@sleep 9\\n' > Makefile; timeout -s TERM 0.5 make"),
    Scenario("interrupt-python", "interrupted", "KeyboardInterrupt", "timeout -s INT 0.7 python3 -c 'import time; time.sleep(9)'"),
    Scenario("file-cp", "missing-file", "nosuch", one("cp nosuch there")),
    Scenario("file-rule", "missing-file", "No rule to make target", "printf 'all: nosuch.o\\n' > Makefile; make"),
    Scenario("file-rule-fr", "missing-file", "nosuch.o", "printf 'all: nosuch.o\\n' > Makefile; make", "fr_FR.UTF-8"),
    Scenario("file-gcc", "missing-file", "nosuch.c", one("gcc -c nosuch.c")),
    Scenario("file-ninja", "missing-file", "missing and no known rule", "printf 'rule r\\n command = cp $in $out\\nbuild out: r nosuch\\n' > build.ninja; ninja"),
    Scenario("file-tar", "missing-file", "nosuch.tar", "tar xf nosuch.tar"),
    Scenario("option-gcc", "bad-option", "-fnosuch", "echo 'int x;' > a.c; " + one("gcc -fnosuch -c a.c")),
    Scenario("option-clang", "bad-option", "-fnosuch", "echo 'int x;' > a.c; " + one("clang -fnosuch -c a.c")),
    Scenario("option-ar", "bad-option", "unrecognized option", one("ar --nosuch x.a")),
    Scenario("option-de", "bad-option", "--nosuch", one("cp --nosuch a b"), "de_DE.UTF-8"),
    Scenario("depends-cmake", "dependency-unsatisfied", "NoSuchPackage", CMAKE.format("find_package(NoSuchPackage CONFIG REQUIRED)")),
    Scenario("depends-meson", "dependency-unsatisfied", 'Dependency "nosuch"', MESON.format("dependency('nosuch')")),
    Scenario("depends-python", "dependency-unsatisfied", "No module named 'nosuch'", "echo import nosuch > a.py; " + one("python3 a.py")),
    Scenario("depends-perl", "dependency-unsatisfied", "Can't locate No/Such.pm", one("perl -MNo::Such -e 1")),
    Scenario("depends-go", "dependency-unsatisfied", "example.com/nosuch", GO.format('package main\\n\\nimport _ "example.com/nosuch"\\n\\nfunc main() {}').replace("go build", "GOFLAGS=-mod=mod GOPROXY=off go build")),
    Scenario("script-python", "build-script-error", "ZeroDivisionError", "echo 1/0 > a.py; " + one("python3 a.py")),
    Scenario("script-perl", "build-script-error", "at gen.pl line 2", "printf 'use strict;\\ndie \"no input\";\\n' > gen.pl; " + one("perl gen.pl")),
    Scenario("script-sh", "build-script-error", "yntax error", "printf 'if true; then\\necho x\\n' > x.sh; sh x.sh"),
    Scenario("script-unbound", "build-script-error", "NOSUCH: unbound variable", "printf 'set -u\\necho $NOSUCH\\n' > x.sh; bash x.sh"),
    Scenario("script-make", "build-script-error", "missing separator", "printf 'all:\\n    true\\n' > Makefile; make"),
    Scenario("ice-gcc", "internal-compiler-error", "internal compiler error", "mkdir b; printf '#!/bin/sh\\nkill -SEGV $$\\n' > b/cc1; chmod +x b/cc1; echo 'int x;' > a.c; " + one("gcc -B b/ -c a.c")),
    Scenario("ice-abort", "internal-compiler-error", "", "mkdir b; printf '#!/bin/sh\\nkill -ABRT $$\\n' > b/cc1; chmod +x b/cc1; echo 'int x;' > a.c; gcc -B b/ -c a.c"),
    Scenario("ice-clang", "internal-compiler-error", "PLEASE submit a bug report", "printf '#pragma clang __debug parser_crash\\n' > a.c; " + one("clang -c a.c")),
    Scenario("other-words", "other", "gen: table is empty", one("echo gen: table is empty; exit 3")),
    Scenario("other-silent", "other", "*** [Makefile:2: all] Error 3", one("exit 3")),
    Scenario("other-crash", "other", "Segmentation fault", "printf '#!/bin/sh\\nkill -SEGV $$\\n' > x; chmod +x x; " + one("./x")),
)  # fmt: skip
