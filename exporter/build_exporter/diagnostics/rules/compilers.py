"""Rules on what compilers, linkers and assemblers say of their input."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

_SOURCE: Final = (
    "Open the place named. A newer compiler often rejects what an older one took: look for a newer release or a patch"
    " of the package, or set the older standard (`-std=`) or `-Wno-error=`."
)
_OPTION: Final = (
    "The tool is too old or another one than meant: check its version (`--version`) and where the option comes from."
)
_LINKED: Final = "A symbol or object does not fit: check the order of libraries, that all were rebuilt, and the flags (-fPIC, -fcommon)."

COMPILERS: Final = (
    Rule(
        "internal-compiler-error", "compiler", Rank.ROOT,
        ("internal compiler error", "LLVM ERROR", "PLEASE submit a", "Please submit a full", "signal terminated program", "thread 'rustc'",
         "command failed due to signal", "clang frontend command failed", "unable to execute command: ",
         "compiler unexpectedly panicked", "frontend command failed"),
        r"internal compiler error\b(?!, )|^LLVM ERROR: |PLEASE submit a (?:full )?bug report|^Please submit a full bug report|signal terminated program"
        r"|thread 'rustc'.* panicked|frontend command failed|command failed due to signal"
        r"|unable to execute command: (?:Segmentation|Aborted|Illegal|Bus)|the compiler unexpectedly panicked",
        "The compiler crashed: repeat the step (if it passes, suspect memory or heat), then lower -O or use another version.",
        ("gcc/foo.c:812:1: internal compiler error: in extract_insn, at recog.cc:2791",
         "clang: error: unable to execute command: Segmentation fault (core dumped)",
         "g++: internal compiler error: Segmentation fault signal terminated program cc1plus",
         "clang: error: clang frontend command failed with exit code 139 (use -v to see invocation)",
         "thread 'rustc' (812) panicked at compiler/rustc_middle/src/ty/mod.rs:1:2:"),
    ),
    Rule(
        "missing-header", "compiler", Rank.TOOL,
        ("No such file or directory", "file not found", "annot open source file", "annot open include file",
         "Cannot open module file", " not found"),
        r"(?:[Ff]atal [Ee]rror: |:\d+: error: )(?!.*\.(?:c|cc|cpp|cxx|C|o|a|ld|lds|specs|s|S|f90|m"
        r"|i)'?: No such)'?[^':]{1,300}'?:? (?:No such file or directory|file not found)$"
        r"|: (?:fatal |catastrophic )?error(?: C1083)?:.*annot open (?:source|include) file|Cannot open module file '"
        r"|^\S+:\d+: error: include file '[^']{1,300}' not found$",
        "Install the package that has the header (`-dev`, `-devel`, or the step before in the book), or add its directory with -I.",
        ("demo.c:13:10: fatal error: zlib.h: No such file or directory",
         "a.cc:1:10: fatal error: 'boost/any.hpp' file not found", "x.c:1: error: include file 'zlib.h' not found",
         "Fatal Error: Cannot open module file 'mpi.mod' for reading at (1): No such file or directory"),
    ),
    Rule(
        "bad-option", "compiler", Rank.TOOL,
        ("option", "argument", "bad value", "flag provided", "unknown target", "target release", "source release", "release version ", "Source option ", " flag", "flag "),
        r"^(?!.*\b(?:warning|note): )(?:(?:(?:\S*/)?(?:[\w.+]+-)*(?:gcc|g\+\+|cc|cc1\w*|c\+\+|clang\S*|ld\S*|as|ar"
        r"|rustc|gfortran|collect2|nasm|objcopy)(?:-[\d.]+)?: )?(?:fatal )?error: .*"
        r"(?:(?:unrecognized|unknown|unsupported|invalid|unexpected|illegal)\b.{0,40}(?:option|argument)"
        r"|bad value '?\(?'?[^ ]+ ?\)? for|no such option|unknown target (?:CPU|triple|ABI))"
        r"|(?:\S*/)?[\w.+-]{1,60}: (?:illegal|invalid|unrecognized|unknown"
        r"|unrecognised) (?:command[- ]line )?(?:option|argument|flag)"
        r"|(?:error: )?(?:Unknown|Invalid|Unrecognized) option:? |flag provided but not defined:"
        r"|(?:error: )?(?:invalid (?:source|target) release|release version \d+ not supported|Source option \d+ is no longer)|.{0,80}: (?:unrecognized arguments|no such option): |error: unrecognized arguments: )",
        _OPTION,
        ("cc1: error: unrecognized command-line option '-fno-foo'",
         "clang: error: unknown argument: '-fno-foo'",
         "//anaconda3/bin/x86_64-apple-darwin13.4.0-ar: illegal option -- n",
         "cc1: error: bad value 'foo' for '-march=' switch",
         "tar: unrecognized option '--zstd'", "error: unknown target CPU 'x86-64-v9'",
         "build.py: error: unrecognized arguments: --fast",
         "/usr/bin/ld: unrecognized option '--no-foo'"),
    ),
    Rule(
        "missing-library", "linker", Rank.TOOL,
        ("cannot find -l", "unable to find library -l", "library not found for -l", "while loading shared libraries",
         "cannot find the library", "cannot open shared object file", "could not find native static library",
         "cannot find crt", "cannot find Scrt", "library not found: "),
        r"cannot find -l|cannot find S?crt\w*\.o|could not find native static library|unable to find library -l|library not found for -l|error while loading shared libraries: "
        r"|cannot find the library '|cannot open shared object file|^mold: fatal: library not found: ",
        "Install or build the library first (its -dev package), or add its directory with -L; a 32-bit link needs the 32-bit one.",
        ("/usr/bin/ld: cannot find -lfoo: No such file or directory",
         "/usr/bin/ld: cannot find crt1.o: No such file or directory", "ld.lld: error: unable to find library -lfoo",
         "mold: fatal: library not found: foo",
         "./demo: error while loading shared libraries: libfoo.so.1: cannot open shared object file: No such file or directory",
         "libtool:   error: cannot find the library 'libfoo.la' or unhandled argument 'libfoo.la'"),
    ),
    Rule(
        "missing-program", "compiler driver", Rank.TOOL, ("error trying to exec", "cannot execute "),
        r"error trying to exec '|: cannot execute '[^']+': (?:execvp|posix_spawnp?|.*No such)",
        "The compiler's own program (cc1, as, ld) is not there, or its loader is not: the installation is incomplete.",
        ("gcc: fatal error: cannot execute 'cc1plus': execvp: No such file or directory",
         "gcc: error trying to exec 'cc1': execvp: No such file or directory"),
    ),
    Rule(
        "missing-file", "compiler", Rank.TOOL,
        ("No such file or directory", "no such file or directory", "no input files", "no such file", "No such"),
        r"(?:^|/)(?:[\w.+]+-)*(?:gcc|g\+\+|cc|cc1\w*|c\+\+|clang\S*|ld(?:\.\w+)?|ld64\.\w+|rust-lld|wild|mold|as"
        r"|ar|gfortran|nasm|objcopy|strip|ranlib|nm)(?:-[\d.]+)?: "
        r"(?!warning)(?:.*no input files|.*(?:[Nn]o such file or directory|no such file)\b)"
        r"|^Assembler messages:.*No such",
        "The file named is not there: a step before did not make it, or its directory is missing.",
        ("gcc: error: missing.c: No such file or directory", "cc1: fatal error: x.c: No such file or directory",
         "/usr/bin/ld: cannot open output file ./output/test: No such file or directory",
          "ld.lld: error: cannot open a.o: No such file or directory"),
    ),
    Rule(
        "linker-error", "linker", Rank.TOOL,
        ("undefined reference", "undefined symbol", "ultiple definition of", "uplicate symbol", "relocation", "ld: ",
         "lld: error", "ld.gold: ", "ld.bfd: ",
         "mold: ", "ndefined symbols for", "undefined!", "overflowed by", "will not fit in region", "DSO missing",
          "ld.lld", "libtool: error", "libtool:   error", "wild: ", "lto-wrapper: ", "file not recognized", "relocation target ", "modpost: "),
        r"undefined reference to|undefined symbol: |undefined symbol '|[Mm]ultiple definition of"
        r"|[Dd]uplicate symbol|relocation truncated|relocation R_\w+ against"
        r"|^(?:ERROR: )?(?:modpost: )?\"?\S+\"? \[\S+\] undefined!|^ERROR: modpost: |lto-wrapper: fatal error: "
        r"|: file not recognized: |\): relocation target \S+ not defined|[Uu]ndefined symbols for"
        r"|overflowed by \d+ bytes|will not fit in region|DSO missing from"
        r"|^(?:\S*/)?(?:[\w-]+-)?(?:ld(?:\.(?:bfd|gold|lld))?|ld64\.lld|rust-lld|lld|mold"
        r"|wild): (?:(?:fatal )?error: |fatal: )|^(?:\S*/)?(?:[\w-]+-)?ld(?:\.bfd|\.gold)?: (?!.*: in function "
        r"|.*\bwarning: |warning|total time|skipping|note|NOTE|.*: in section |final link failed|.*: in function"
        r"|Disabling|.*: more undefined)\S.*"
        r"|^libtool: +error: ",
        _LINKED,
        ("main.c:(.text+0x5): undefined reference to 'foo'", "ld.lld: error: undefined symbol: foo_init",
         "/usr/bin/ld: b.o:(.data+0x0): multiple definition of 'x'; a.o:(.data+0x0): first defined here",
         'ERROR: modpost: "foo_init" [drivers/foo/foo.ko] undefined!',
         "a.o: file not recognized: file format not recognized", "lto-wrapper: fatal error: make returned 2 exit status",
         "mold: error: undefined symbol: bar", "/usr/bin/ld: region 'FLASH' overflowed by 812 bytes",
         "/usr/bin/ld: a.o: relocation R_X86_64_32 against '.rodata' can not be used when making a PIE object; recompile with -fPIE",
         "/usr/bin/ld: i386 architecture of input file 'a.o' is incompatible with i386:x86-64 output"),
    ),
    Rule(
        "assembler-error", "assembler", Rank.TOOL,
        (": Error: ", "nasm: ", ".asm:", ".s:", ".S:", "<inline asm>", "impossible constraint", "mnemonic", "<instantiation>",
         "yasm: ", "Fatal error: ", "{standard input}", ".nasm:", "unknown directive", "invalid operand for"),
        r"^[^:]{1,300}:\d+: Error: |^\{standard input\}:.*Error: |^\S+\.(?:asm|nasm|s):\d+(?::\d+)?: (?:fatal: "
        r"|error: |panic: )|^<(?:inline asm|instantiation)>:\d+:\d+: error: "
        r"|error: (?:invalid instruction mnemonic|unknown directive|invalid operand for instruction"
        r"|impossible constraint in 'asm')|^(?:n|y)asm: (?:fatal|error): |^\S+\.S:\d+:\d+: error: ",
        "The assembler does not know the instruction or syntax: check -march, the target, and whether gas or clang's own one is used.",
        ("a.s:3: Error: no such instruction: 'foo %eax'", "{standard input}:12: Error: bad register name '%rax'",
         "boot.asm:3: error: parser: instruction expected",
          "<inline asm>:1:2: error: invalid instruction mnemonic 'foo'"),
    ),
    Rule(
        "dependency-unsatisfied", "compiler", Rank.TOOL,
        ("no required module provides package", "cannot find package", "can't find crate", "E0463", "is not in std", "is not in GOROOT", "module lookup disabled", "no such module ",
         "missing go.sum entry", "Could not find module", "does not exist",
         "cannot find module providing", "is not supported by the following package", "requires rustc",
          "failed to select a version", "no matching package", "requires go >="),
        r"no required module provides package|cannot find package|can't find crate for|is not in (?:std|GOROOT)\b|module lookup disabled by|no such module '"
        r"|missing go\.sum entry|Could not find module '|error: package \S+ does not exist$|cannot find module providing|is not supported by the following package"
        r"|requires rustc \d|failed to select a version|no matching package|requires go >= ?\d",
        "Install the module or crate named (vendor directory, lock file), or the compiler's version that the package asks for.",
        ("main.go:4:2: no required module provides package example.org/x; to add it:",
         "error[E0463]: can't find crate for 'core'", "    Could not find module 'Data.Text'",
         "src/A.java:3: error: package org.junit does not exist",
         "error: rustc 1.75.0 is not supported by the following package:",
          "error: failed to select a version for the requirement 'x = \"^2\"'"),
    ),
    Rule(
        "configure-error", "autotools", Rank.TOOL,
        ("configure.ac:", "configure.in:", ".m4:", "Makefile.am:", ".am: error", ".am:", "aclocal: error", "automake: error",
         "autoconf: error", "libtoolize: ", "undefined macro", "aclocal: ", "aclocal-", "automake: ", "automake-", "autoconf: ", "autoconf-", "autom4te: ", "autom4te-", "libtoolize-", "autopoint: ", "autopoint-"),
        r"^(?!.*: warning: )(?:\S*(?:configure\.(?:ac|in)|\.m4|[\w.-]+\.am):(?:\d+:)? (?!installing"
        r"|required file '\S*' (?:created|found)).{0,200}|(?:aclocal|automake|autoconf|autom4te|libtoolize"
        r"|autopoint)(?:-[\d.]+)?: +(?:error|ERROR): .*)",
        "Run `autoreconf -fi` with the tools the package asks for: pkg-config, libtool and gettext bring the macros named.",
        ("configure.ac:12: error: possibly undefined macro: AC_PROG_LIBTOOL",
         "Makefile.am:3: error: Libtool library used but 'LIBTOOL' is undefined",
          "aclocal: error: couldn't open directory 'm4': No such file or directory"),
    ),
    Rule(
        "build-script-error", "test", Rank.NOISE, ("error: CHECK",), r": error: CHECK(?:-\w+)?: ", "",
        ("x.ll:77:15: error: CHECK-NEXT: expected string not found in input",),
    ),
    Rule(
        "build-script-error", "gradle", Rank.TOOL, ("ParseError at ", "unparsed line", "Unable to parse", "error: line "),
        r"^ERROR: ParseError at |unparsed line: |^ERROR: Unable to parse |^error: line \d+: ",
        "The recipe or build file named cannot be read: correct the line.",
        ("ERROR: ParseError at /build/meta-x/foo_1.0.bb:12: unparsed line: 'SRC_URI += '", "error: line 43: Unknown tag: Foo: bar"),
    ),
    Rule(
        "compiler-error", "compiler", Rank.TOOL,
        ("rror", "ERROR", ".go:", "vet: ", "): Fatal", ") Fatal"),
        r"^(?!.*\bwarning: )(?:error\[E\d+\]: |<[\w -]{1,40}>: (?:fatal )?error: |error: static assertion failed"
        r"|\S+\.dtsi?:\d+\.\d+-\d+(?:\.\d+)?: ERROR \(|Error: \S+\.dtsi?:\d+\.\d+|(?:Fatal )?Error: .* \(\d\)"
        r"|(?:Error: |ERROR: )?(?:[A-Za-z]:)?[^\s:'\"][^:]{0,400}:\d+(?:[:.]\d+)?(?:-\d+(?:[:.]\d+)?)?:? (?:\d+:\d+ )?(?:-+ )?(?:error: )?(?:(?:fata"
        r"l|syntax|parse|parser|lexical|type|semantic|compile|catastrophic|Fatal|internal) )?[Ee]rror\b(?!s\b|\.)"
        r"|[^\s:()]{1,300}\(\d+(?:, ?\d+)?\):? (?:[Ff]atal )?(?:error|Error|Fatal)\b"
        r"|(?:vet: )?(?:\./|\.\./)*[\w./@+-]+\.go:\d+(?::\d+)?: (?!too many errors)\S"
        r"|(?:\S*/)?(?:[\w.+]+-)*(?:gcc|g\+\+|c\+\+|cc|cc1\w*|clang\S*|gfortran|f951|d21|gnat1|javac|rustc|ghc|moc"
        r"|uic|bindgen|protoc|flex|bison|icc|icx|nvcc|zig|swiftc|valac"
        r"|tsc)(?:-[\d.]+)?: (?:fatal )?error: (?!linker command failed))",
        _SOURCE,
        ("x.c:7:3: error: unknown type name foo [-Werror=implicit-int]",
         "error[E0658]: 'match' is not allowed in a 'const fn'",
         "demo/main.go:16:12: undefined: cmdGlobal", "Foo.java:5: error: cannot find symbol",
          "src/a.ts(3,5): error TS2304: Cannot find name 'x'.",
         "src/Foo.hs:3:5: error: [GHC-88464]", "a.y:3.4-5: error: syntax error, unexpected string",
          "a.d(3): Error: undefined identifier 'x'",
         "arm.dts:3.4-12 syntax error", "clang: error: invalid version number in '-mmacosx-version-min=x'",
         "src/a.ts:3:5 - error TS2304: Cannot find name 'x'.", "src/x.rs:3:5: 3:9 error: unresolved name 'foo'",
         "boot/x.dts:12.3-13.4: ERROR (phandle_references): /x: Reference to non-existent node",
         "<command-line>: error: macro names must be identifiers"),
    ),
)  # fmt: skip
