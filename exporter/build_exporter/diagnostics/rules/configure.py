"""Rules on what configure scripts, CMake, Meson and their kin say, and on make's own trouble."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

_PACKAGE: Final = "Install the development package of what is named (its .pc or Config.cmake file), or point PKG_CONFIG_PATH or CMAKE_PREFIX_PATH to it."
_LOG: Final = "The tool's own log has the failed test: the end of config.log, CMakeFiles/CMakeError.log or CMakeConfigureLog.yaml, meson-logs/meson-log.txt."
_WORDS: Final = ("configure: error: ", "CMake Error", "ERROR: ", "Project ERROR", "Could not find the program")
_SAYS: Final = r"(?:configure: error: |^CMake Error.*?: |(?:meson\S*:\d+:\d+: |^)ERROR: |^Project ERROR: ).*"

CONFIGURE: Final = (
    Rule(
        "dependency-unsatisfied", "configure", Rank.TOOL,
        (*_WORDS, "No package", ", not found", "The configuration failed", "selection of kernel headers", "Kernel Headers"),
        _SAYS + r"(?:[Pp]ackage requirements \(|Could not find a package configuration file"
        r"|By not providing \"?'?Find|Could NOT find|[Rr]equired packages? (?:was|were) not found"
        r"|[Dd]ependency '?\"?[^'\"]{1,80}'?\"? (?:not found|lookup)|Unknown module\(s\) in QT"
        r"|development package not found|CMake [\d.]+ or higher is required|Meson version is"
        r"|[Vv]ersion .{1,40} (?:or (?:newer|higher|later|greater) )?is required|requires? .{1,60} >=? ?\d"
        r"|Dependency .*found: NO|Found unsuitable version|Invalid version of dependency"
        r"|\b(?:[Pp]erl|[Pp]ython) modules?\b.{0,60}(?:required|not found|missing|not available|not installed)|but it set .*_FOUND to FALSE"
        r"|is missing modules|\bis required to compile\b|[Nn]either a subproject|not found using pkg-config|subproject downloading is disabled)"
        r"|^The configuration failed: Checking for (?!program)|Kernel Headers.* expected \S+ got|[Ii]ncorrect selection of kernel headers",
        _PACKAGE,
        ("configure: error: Package requirements (liblz4) were not met:",
         'CMake Error at CMakeLists.txt:25 (find_package): Could not find a package configuration file provided by "ECM" (requested',
         'meson.build:12:0: ERROR: Dependency "glib-2.0" not found, tried pkgconfig and cmake',
         "Project ERROR: Unknown module(s) in QT: svg",
          "CMake Error at CMakeLists.txt:1 (cmake_minimum_required): CMake 3.25 or higher is required.",
         "configure: error: XML::Parser perl module is required for intltool",
         "meson.build:5:4: ERROR: Invalid version of dependency, need 'glib-2.0' ['>= 2.66'] found '2.56.4'."),
    ),
    Rule(
        "missing-program", "configure", Rank.TOOL, (*_WORDS, "asm not found", "asm/yasm not found", "The configuration failed"),
        r"^[ny]asm(?:/yasm)? not found or too old|" + _SAYS + r"(?:no acceptable \S+ compiler"
        r"|no (?:nasm|yasm|bison|flex|gperf|gettext|python3?|perl|cmake|ninja|makeinfo)\b.{0,40} found|(?:cannot|could not|unable to) (?:find|locate) .{0,60}(?:compiler"
        r"|program|utility|executable|interpreter)|not found in (?:your |the )?\$?PATH"
        r"|[Pp]rogram '?\"?[^'\"]{1,80}'?\"? not found|Unknown compiler\(s\)"
        r"|No CMAKE_\w+_COMPILER could be found"
        r"|unable to find a build program|\b(?:program|command|tool|utility|compiler"
        r"|interpreter)s?\b.{0,60}(?:not found|(?:is|are) missing|is required|are required)|you need (?:a "
        r"|the )?(?:bison|flex|yacc|lex|perl|python|m4|gettext|makeinfo|nasm|yasm|cmake|gperf|help2man|texinfo)\b"
        r"|\b(?:bison|flex|yacc|m4|perl|python3?|makeinfo|nasm|yasm|gperf|msgfmt|xsltproc|pkg-config|pkgconf|gawk"
        r"|awk|ninja|rustc|cargo|tclsh|intltool|help2man|autopoint|swig|doxygen)\b.{0,40}\b(?:not found|is missing"
        r"|is required|required but|could not be found|too old))"
        r"|^Could not find the program \[|^The configuration failed: Checking for program",
        "Install the program named, or put its directory into PATH; inside a chroot it must be there as well.",
        ("configure: error: no acceptable C compiler found in $PATH",
         "nasm/yasm not found or too old. Use --disable-x86asm for a crippled build.",
         "meson.build:3:0: ERROR: Program 'glib-mkenums' not found or not executable",
         "CMake Error at CMakeLists.txt:2 (project): No CMAKE_CXX_COMPILER could be found.",
          "configure: error: bison not found, please install it",
         "configure: error: Your intltool is too old.  You need intltool 0.40 or later."),
    ),
    Rule(
        "missing-header", "configure", Rank.TOOL, (*_WORDS, "ernel headers", "kernel source", "ernel header", "ernel source"),
        r"[Kk]ernel (?:headers?|source).{0,80}(?:cannot|could not|can't) be found|nable to (?:find|locate) (?:the )?kernel (?:source"
        r"|headers)|^==> ERROR: Missing \S+ kernel headers|" + _SAYS + r"(?:\S+\.h(?:pp)?\b.{0,60}(?:not found|missing|required|unusable|not usable|could not be found)"
        r"|(?:cannot|could not|can't|unable to) find .{0,60}\.h(?:pp)?\b"
        r"|[Hh]eaders? (?:files? )?(?:'?\"?\S+'?\"? )?(?:(?:is|are|were|was|could) )?(?:not found|missing"
        r"|required|not be found)|C header '|missing .{0,40}(?:headers?|\.h)\b|kernel headers? .{0,20}not"
        r"|[Yy]ou need .{0,40}\bheaders?\b)",
        "Install the package that has the header (`-dev`, `-devel`, or the step before in the book).",
        ("configure: error: gmp.h not found", "meson.build:9:0: ERROR: C header 'zlib.h' not found",
         "configure: error: readline headers not found",
         "Error! Your kernel headers for kernel 6.1.0-9-amd64 cannot be found.",
         "ERROR: Unable to find the kernel source tree for the currently running kernel."),
    ),
    Rule(
        "missing-library", "configure", Rank.TOOL, (*_WORDS, "please install", "Unable to find", "Cannot find"),
        _SAYS + r"(?:[Cc]ould not find a version of the .{1,60} library|\b(?:lib\w+|[\w-]{1,40} (?:development )?librar(?:y|ies))\b.{0,60}(?:not found|missing"
        r"|required|not usable|could not be found|not be found|unusable)|(?:cannot|could not|can't"
        r"|unable to) find .{0,60}(?:lib\w+|librar(?:y|ies))|shared or static library '"
        r"|[Bb]uilding \S+ requires .{0,80}(?:GMP|MPFR|MPC|lib)|missing required .{0,20}librar"
        r"|set to NOTFOUND|requires? (?:the )?\S{1,40} librar|you need (?:to have |to install )?(?:lib\S+|.{1,40} librar))"
        r"|^\*\*\* .{0,60}(?:please install|Unable to find|Cannot find) .{0,60}(?:lib\w+|-dev|-devel|package)",
        "Install the library's development package, or build the step that makes it first.",
        ("configure: error: zlib library not found",
         "configure: error: Could not find a version of the Boost::Filesystem library!",
         "meson.build:9:0: ERROR: C shared or static library 'foo' not found",
         "configure: error: Building GCC requires GMP 4.2+, MPFR 3.1.0+ and MPC 0.8.0+."),
    ),
    Rule(
        "bad-option", "configure", Rank.TOOL, _WORDS,
        _SAYS + r"(?:(?:unrecognized|invalid|unknown) options?\b|invalid value|invalid feature name"
        r"|Unknown options?:|Unknown argument|Unknown variable value)",
        "The package's configure does not know the option: compare with its `--help`.",
        ("configure: error: unrecognized option: '--with-foo'", 'meson.build:1:0: ERROR: Unknown options: "foo"'),
    ),
    Rule(
        "missing-file", "configure", Rank.TOOL, (*_WORDS, "config.status: error"),
        _SAYS + r"(?:Cannot find source file|source directory .* does not|does not (?:exist|appear to contain)"
        r"|is not an existing|cannot find (?:sources|input file|required auxiliary files|install-sh)"
        r"|Nonexistent build file|File .{1,200} does not exist|file failed to open for reading"
        r"|not a (?:file|directory)|could not find load file|include could not find|No such file)"
        r"|^config\.status: error: cannot find",
        "A file of the source tree is missing: unpack it anew, run its autogen.sh, or give the right directory.",
        ("configure: error: cannot find sources (src/main.c) in . or ..",
         'CMake Error: The source directory "/build/x" does not exist.',
         "config.status: error: cannot find input file: 'po/Makefile.in.in'"),
    ),
    Rule(
        "configure-error", "configure", Rank.TOOL,
        ("configure: error: ", "CMake Error", "meson", "ERROR: ", "Project ERROR", "Invalid configuration",
         "syntax error near", "ernel configuration is", "compiler failed to generate", "The configuration failed", "config.status: error", "configure: line", "Problem encountered",
         "unable to create an executable file", "configure: "),
        r"configure: error: (?=\S)|^CMake Error\b|meson\S*:\d+:\d+: ERROR: |^ERROR: .*\b[Mm]eson\b"
        r"|^ERROR: (?:Compiler \S+ can|Problem encountered|Executables created by)|^Project ERROR: "
        r"|^Invalid configuration '|[Kk]ernel configuration is invalid|^The configuration failed|The compiler failed to generate an executable|^\S*configure: (?:line )?\d+: .*(?:syntax error|unexpected)"
        r"|^config\.status: error: |^\S+ is unable to create an executable file\.$",
        _LOG,
        ("configure: error: C compiler cannot create executables",
         "CMake Error at CMakeLists.txt:7 (message): Unsupported platform",
         "meson.build:7:2: ERROR: Problem encountered: no",
          "./configure: line 3456: syntax error near unexpected token 'FOO,'",
         "Invalid configuration 'foo': machine 'foo-unknown' not recognized"),
    ),
    Rule(
        "missing-file", "make", Rank.STOP, ("No rule to make target", "no known rule to make it",
         "don't know how to make", "No Builder for target", ", needed by"),
        r"No rule to make target|No Builder for target|^scons: \*\*\* .* not found, needed by|missing and no known rule to make it|don't know how to make",
        "The file does not exist and no rule makes it: a source is missing, a name is wrong, or an earlier target made nothing.",
        ("make[1]: *** No rule to make target 'a.pem', needed by 'certs/x509'.  Stop.",
         "ninja: error: 'a.c', needed by 'a.o', missing and no known rule to make it",
         "scons: *** No Builder for target 'a.c', needed by 'a'.  Stop.",
         "scons: *** [a.o] Source 'a.c' not found, needed by target 'a.o'."),
    ),
    Rule(
        "missing-file", "make", Rank.STOP, ("No targets specified", "No SConstruct", "no makefile found",
         "No such file or directory", "build.ninja", "ninja: error: ", "ninja: fatal: ", "samu: "),
        r"No targets specified and no makefile found|No SConstruct file found|no makefile found|^(?:ninja"
        r"|samu): (?:error|fatal): (?:loading|chdir|opening).*No such file"
        r"|^\S*make(?:\[\d+\])?: \*\*\* \S+: No such file or directory\.  Stop",
        "The builder found no build file there: the step runs in the wrong directory, or configuring made none.",
        ("make: *** No targets specified and no makefile found.  Stop.",
         "ninja: error: loading 'build.ninja': No such file or directory"),
    ),
    Rule(
        "build-script-error", "make", Rank.STOP,
        ("missing separator", "Stop.", "recipe commences", "ninja: error: ", "ninja: fatal: ", "samu: ", "scons: *** ", "unterminated", "multiple target patterns", "commands commence"),
        r"^(?:\S+:\d+: )?\*\*\* .*(?:missing separator|recipe commences|unterminated|multiple target patterns"
        r"|commands commence)|^\S+:\d+: \*\*\* .*Stop\.|^(?:ninja|samu): (?:error|fatal): "
        r"|^\S*make(?:\[\d+\])?: \*\*\* (?!\[)[^\[]*Stop\.|^scons: \*\*\* (?!\[)",
        "The build file itself is wrong at the place named.",
        ("Makefile:12: *** missing separator.  Stop.", "ninja: error: build.ninja:3: unknown build rule 'cc'",
         "Makefile:4: *** commands commence before first target.  Stop."),
    ),
)  # fmt: skip
