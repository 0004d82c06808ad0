"""Rules on what shells, scripting languages, archive, patch and package tools say; and on plain "error" at the end."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

_INSTALL: Final = "Install the program named, or put its directory into PATH; inside a chroot it must be there as well."
_FILE: Final = "The file named is not there: a step before did not make it, or the command runs in the wrong directory."

PROGRAMS: Final = (
    Rule(
        "patch-failed", "patch", Rank.TOOL,
        ("Hunk #", "hunk", "patch: ****", "file to patch", "previously applied", "patch failed",
         "patch does not apply", "does not apply", "Patch failed", "atch cannot be applied", "corrupt patch",
         "malformed patch", "can't apply patch", "Applying ", ": patch ", "Patch application"),
        r"^(?!.*\bwarning:)(?:Hunk #\d+ FAILED|\d+ out of \d+ hunks? (?:FAILED|ignored)|patch: \*\*\*\* "
        r"|can't find file to patch|Reversed \(or previously applied\)|.*error: (?:patch failed|corrupt patch)"
        r"|.*patch does not apply|Patch \S+ does not apply|Patch failed at|.*[Pp]atch cannot be applied"
        r"|.*malformed patch|.* failed \(\w+ phase\): patch .*failed with|==> ERROR: Patch application has failed|Applying \S+ .*FAILED|.*can't apply patch)",
        "The patch was made for another version, or is applied already: refresh it, drop it, or check -p and the directory.",
        ("Hunk #1 FAILED at 12.", "1 out of 3 hunks FAILED -- saving rejects to file x.c.rej",
         "patch: **** malformed patch at line 12:", "error: patch failed: x.c:3",
         "Reversed (or previously applied) patch detected!  Skipping patch.",
          "can't find file to patch at input line 3"),
    ),
    Rule(
        "missing-program", "shell", Rank.PROGRAM + 1,
        ("not found", "No such file or directory", "bad interpreter", "applet not found", "executable file not found",
         "is missing on your system", "command not", "Cannot run program", "ENOENT", "not installed?", " in PATH",
         "could not be found", "unable to execute ", "Can't exec ", "Os { code: 2,", "execvp: ", "xargs: ", "n $PATH", "the PATH", "$PATH", "Unknown command",
         "You must install ", "You must have ", "is not installed", "pahole"),
        r"unable to execute '[^'/]{1,100}': No such|Cannot run program \"[^\"]+\"|^Error: spawn \S+ ENOENT"
        r"|^error: linker '[^']+' not found|^Can't exec \"[^\"]+\": No such|^is '[^']+' not installed\?"
        r"|[Tt]he [\w+.-]+ command could not be found|[Ff]ailed to (?:execute|run|spawn) .{0,200}: No such file or directory"
        r"|: cannot execute: required file not found|^You must install '[^']+' on your build machine|^error: toolchain '.*' is not installed"
        r"|^(?:\*\*Error\*\*: )?You must have '[^']+' installed|pahole.{0,20} is not available"
        r"|(?:[Cc]ommand|execute|spawn|\brun\b|repr).{0,80}Os \{ code: 2,|execvp: [^/\s]+: No such file|^xargs: [^\s:]+: No such file"
        r"|[Cc]ould not find '?[\w+.-]+'? in (?:the |your )?\$?PATH\b|[Pp]rogram \S+ not found in .{0,40}\bPATH\b"
        r"|^(?:[\w./+-]{1,200}: ){0,2}(?:line ?\d+: |\d+: )?(?:[\w./+-]{1,200}: )?(?:exec: )?[^\s:]{1,200}: (?:command not found|not found)$"
        r"|^\S*make(?:\[\d+\])?: (?:exec: )?[^\s:*]{1,200}: (?:No such file or directory|[Cc]ommand not found)"
        r"|^(?:\S*/)?env: '?[^':]{1,100}'?: No such file or directory|bad interpreter: No such file"
        r"|[^:]{1,100}: applet not found|exec: \"[^\"]+\": executable file not found"
        r"|^[^\s:]{1,200}: ligne? ?\d+: \S+ ?: command not found"
        r"|^(?:[\w./+-]{1,200}: )line ?\d+: \S+: No such file or directory$|^(?:zsh|fish|ksh|mksh|-?bash|dash"
        r"|sh)?:? ?(?:\d+: )?command not found: \S+|^Unknown command|^\"[^\"]{0,200}\": command not found",
        _INSTALL,
        ("/bin/sh: 1: makeinfo: not found", "bash: line 3: flex: command not found",
         "make: g++: No such file or directory", "env: 'python': No such file or directory",
         "./build.sh: line 3: cmake: command not found", "/usr/bin/env: 'ruby': No such file or directory",
          "./x.sh: /bin/foo: bad interpreter: No such file or directory",
         "unable to execute 'gcc': No such file or directory", "./autogen.sh: 2: ./autogen.sh: autoreconf: not found",
         "Can't exec \"libtoolize\": No such file or directory at FileUtils.pm line 345.",
         "failed to execute command: No such file or directory (os error 2)", "is 'cmake' not installed?",
         "Error: spawn cmake ENOENT", "error: linker 'cc' not found", "make: execvp: bison: No such file or directory"),
    ),
    Rule(
        "dependency-unsatisfied", "script", Rank.TOOL,
        ("Can't locate", "nable to locate package", "no installation candidate", "ModuleNotFoundError", "ImportError", "No module named", "Cannot find module",
         "cannot load such file", "no such file to load", "Nothing PROVIDES", "nmet build dep", "nmet dep", "unsatisfied", "are needed by",
         "is needed by",
         "Could not find a version", "No matching distribution", "no ebuilds to satisfy", "could not resolve",
          "unable to satisfy", "unresolvable", "ConflictError", "ResolutionImpossible", "not found:",
          "can't find package", "target not found:", "Could not resolve dependencies", "depends on",
         "pkg-config search path", "No package", "required by crate", "could not find system library", "-sys",
         "Failed dependencies", "Failed build dependencies", "ERESOLVE", "no buildable providers",
         "dependencies are missing", "missing dependencies", "Could not load module", "Missing dependency on", "system library ", "Nothing RPROVIDES", "module "),
        r"^\S+: (?:At least the following dependencies are missing|Encountered missing dependencies):|^\S+: Missing "
        r"dependency on a foreign|^Package \S+ was not found in the pkg-config search path|^No package '[^']+' found$|-sys' crate"
        r"|system library '[^']+' required by|^error: Failed (?:build )?dependencies|\bERESOLVE\b|no buildable providers"
        r"|Can't locate \S+ in @INC|^(?:ModuleNotFoundError|ImportError): |^\S*python\S*: No module named "
        r"|Cannot find module '|(?:cannot load such file|no such file to load) -- |Nothing (?:R?PROVIDES)|[Uu]nmet (?:build )?dependenc"
        r"|unsatisfied (?:requirements|dependenc)|(?:is|are) needed by \S+$"
        r"|Could not find a version that satisfies|No matching distribution found|no ebuilds to satisfy"
        r"|could not resolve (?:all )?(?:files|dependencies)|unable to satisfy|ResolutionImpossible"
        r"|^lua\S*: .*module '\S+' not found|^can't find package \S+|^error: target not found: "
        r"|Could not resolve dependencies|^error: Failed dependencies|Unable to locate package|has no installation candidate",
        "Install what is named first, or the version asked for.",
        ("Can't locate Test/More.pm in @INC (@INC contains: /usr/lib64/perl5) at x.pm line 309.",
         "Setup: Encountered missing dependencies: base >=4.5",
         "ModuleNotFoundError: No module named 'Cython'",
         "Package glib-2.0 was not found in the pkg-config search path.",
         "The system library 'openssl' required by crate 'openssl-sys' was not found.",
         "Error: Cannot find module 'typescript'", "ERROR: Nothing PROVIDES 'foo'",
          "dpkg-checkbuilddeps: error: Unmet build dependencies: libfoo-dev",
         'emerge: there are no ebuilds to satisfy "dev-libs/foo".',
          "ERROR: No matching distribution found for setuptools>=99"),
    ),
    Rule(
        "missing-file", "program", Rank.PROGRAM,
        ("No such file or directory", "annot stat", "an't open", "annot open", "FileNotFoundError", "annot find",
         "does not exist", "ENOENT", "no such file", "did not match any file", "No such file", "annot access", "an't cd to", "Os { code: 2,",
         "File not found", "Directory not found", "nonexistent", "is not readable", "could not find ", "MSB4019", "Configuration file "),
        r"\b[Nn]o such file(?: or directory)?\b|(?:cannot create|can't create) \S{1,300}: (?:Directory )?nonexistent|Directory nonexistent|pathspec '.*' did not match any file|: (?:cannot stat"
        r"|can't open|cannot open|cannot access|can't cd to) |^(?:Exception: )?FileNotFoundError: |\bENOENT\b|Os \{ code: 2, kind: NotFound"
        r"|(?:^|: )[Ff]ile .{1,200} (?:does not exist|is not readable)|^error: could not find 'Cargo\.toml'"
        r"|error MSB4019: |^\*\*\* +Configuration file .{1,100} not found",
        _FILE,
        ("cp: cannot stat 'foo.conf': No such file or directory",
         "tar: x.tar.xz: Cannot open: No such file or directory",
         "python3: can't open file '/build/x.py': [Errno 2] No such file or directory",
          "FileNotFoundError: [Errno 2] No such file or directory: 'x'",
          "Exception: FileNotFoundError: [Errno 2] No such file or directory: 'a' -> 'b'"),
    ),
    Rule(
        "build-script-error", "shell", Rank.TOOL,
        ("yntax error", "unbound variable", "parameter not set", "unexpected EOF", "ad substitution", "SyntaxError",
         "IndentationError", "TabError", "requires explicit package", "Parse error", "unexpected token",
         "failed to produce output path", "undefined variable ", "error: attribute ", ": unbound variable", "Missing script: "),
        r"^[^\s:]{1,200}: (?:-c: )?(?:(?:line )?\d+: )?(?:\S{1,100}: )?(?:[Ss]yntax error|unbound variable"
        r"|parameter not set|[Bb]ad substitution|unexpected EOF)|^(?:SyntaxError|IndentationError|TabError): "
        r"|^syntax error at \S+ line|requires explicit package name|^(?:.*: )?unexpected token"
        r"|failed to produce output path|^error: (?:undefined variable '|attribute '[^']+' missing|syntax error, unexpected)"
        r"|: error: \S+: unbound variable$|^npm (?:ERR!|error) Missing script: ",
        "The build's own script is wrong at the place named, or another shell or interpreter runs it than was meant.",
        ("./build.sh: line 3: syntax error near unexpected token 'fi'",
         "/bin/bash: -c: line 0: syntax error near unexpected token ';'", "build.sh: 7: Bad substitution",
         "./x.sh: line 8: FOO: unbound variable", "SyntaxError: invalid syntax"),
    ),
    Rule(
        "build-script-error", "script", Rank.TOOL - 2,
        ("Error: ", "Exception: ", "Error", "Exception", " line ", "panicked at", "Uncaught", ".rb:",
         "uncaught exception"),
        r"^(?:Exception: (?!\S*(?:ExecutionError|CalledProcessError)))?(?:[A-Za-z_][\w.]{0,100}\.)?[A-Z]\w{1,60}"
        r"(?:Error|Exception)(?:: |$)(?!.*\berror: )"
        r"|^(?!at )[A-Z].{2,200} at \S{1,200}\.(?:p[lm]|PL|pm\.in|t) line \d+\.?"
        r"|^(?!at ).{2,200} at \S{1,200} line \d+(?:, <\w+> line \d+)?\.$|^\s*thread '.*' panicked at|^Uncaught "
        r"|^Exception in thread|\.rb:\d+:in .*\(\w+(?:Error|Exception)\)",
        "The build's own script or generator failed at the place named: its input, its version or its interpreter's does not fit.",
        ("AttributeError: module 'x' has no attribute 'y'", "Undefined subroutine &main::x called at gen.pl line 3.",
         "No input at tools/gen.pl line 12.", "Exception: KeyError: 'SRCREV'",
         "distutils.errors.DistutilsExecError: command failed", "thread 'main' panicked at build.rs:33:5:"),
    ),
    Rule(
        "build-script-error", "archive", Rank.TOOL - 3,
        ("tar: ", "gzip: ", "xz: ", "bzip2: ", "unzip:", "zstd: ", "lzip: ", "cpio: ", "End-of-central-directory",
         "not in gzip format", "bsdtar: ", "unlzma: ", "lzma: "),
        r"^(?:\S*/)?(?:bsd)?(?:tar|gzip|xz|bzip2|unzip|zstd|lzip|cpio|unlzma|lzma): (?!(?:Removing|Ignoring"
        r"|The following|Skipping|Exiting|Child|warning|WARNING|stdout: write)).{3,}"
        r"|End-of-central-directory signature not found",
        "The archive is cut or no archive at all (an error page?): look at it with `file`, fetch it again.",
        ("tar: This does not look like a tar archive", "gzip: stdin: unexpected end of file",
         "xz: (stdin): File format not recognized"),
    ),
    Rule(
        "other", "kernel build", Rank.TOOL, ("FAILED: load BTF", "failed to find", "ailed to generate BTF",
         "ould not allocate block in", "BTF", "Could not allocate block"),
        r"^FAILED: load BTF|[Ff]ailed to generate BTF|^mkfs\S*: Could not allocate block",
        "BTF: use a pahole that fits the compiler's DWARF, or more memory. An image that is too small for its content: raise its size.",
        ("FAILED: load BTF from vmlinux: No data available",
         "mkfs.ext4: Could not allocate block in ext2 filesystem while populating file system"),
    ),
    Rule(
        "other", "package tool", Rank.PLAIN + 2,
        ("gyp: ", "What went wrong: ", "rpmbuild: error", "apk: ", "xbps", "E: ", "error: ", "ERROR: ", "ebuild", "pip", "!!! ",
         "npm ERR! ", "npm error ", "fatal: ", "fatal"),
        r"^gyp: |^ERROR: (?:\S+ do_\w+: )?QA Issue: |^\* What went wrong: \S|^ ?\* ERROR: \S+/\S+ failed.{0,40}: \S|^==> ERROR: |^E: (?!Build|Sub-process)\S|^(?:=> )?ERROR: \S+-\d\S*: |^!!! (?:ERROR|All ebuilds|Error)|^npm (?:ERR!"
        r"|error) (?!code|errno|path|command|A complete|syscall)\S|^(?:git-lfs|git): fatal|^fatal: (?!error)\S",
        "", ("E: The package cache file is corrupted", "==> ERROR: pkgver is not allowed to be empty.",
         " * ERROR: dev-libs/x-1.0::gentoo failed (pretend phase): Your kernel lacks CONFIG_X",
         "fatal: destination path 'x' already exists and is not an empty directory."),
    ),
    Rule(
        "other", "crash", Rank.PROGRAM + 2,
        ("Segmentation fault", "core dumped", "Aborted", "Illegal instruction", "Bus error", "Assertion", "SIGSEGV",
         "SIGABRT", "assertion failed", "SIGILL", "SIGBUS"),
        r"Segmentation fault|core dumped\)|\bIllegal instruction\b|\bBus error\b|Assertion '.*' failed"
        r"|\bSIG(?:SEGV|ABRT|ILL|BUS)\b",
        "A program of the build crashed: repeat it; if it passes, suspect memory; else run it alone under gdb.",
        ("/bin/sh: line 1: 4711 Segmentation fault      (core dumped) ./gen > out",
         "gen: gen.c:3: main: Assertion 'x' failed.",
         "make: *** [Makefile:3: out] Illegal instruction (core dumped)"),
    ),
    Rule(
        "other", "somebody", Rank.PLAIN,
        ("rror", "ERROR", "FATAL", "atal", "FAILED", "E]"),
        r"^(?!.*\b[Ww]arning: )(?:.{0,60}?\b)?(?:fatal )?(?:error|Error|ERROR|FATAL|Fatal|fatal)(?:\[\w+\]"
        r"|\(\w+\))?(?:: | : |! )(?!0$)\S|^(?:ERROR|FATAL|Error|Fatal error|error)\b[ :]",
        "", ("ERROR: something odd", "foo: fatal error: cannot go on", "FATAL: no such target"),
    ),
)  # fmt: skip
