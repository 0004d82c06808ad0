"""Rules on lines that are no reason: what builds that go well print too, and what hands a failure on."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

NOISE: Final = (
    Rule(
        "other", "noise", Rank.NOISE,
        ("not a git repository", "No names found", "No tags can describe", "dubious ownership", "bad revision", "npm WARN", "npm warn", "recipe for target",
         "Not a valid object name", "not under version control",
         "stdout: write error", "LD_PRELOAD", "XDG_RUNTIME_DIR", "cannot open display", "is not a working copy",
          "there is no Mercurial repository", "no repository found", "abort: no"),
        r"^fatal: (?:[Nn]ot a git repository|No names found|No tags can describe|detected dubious ownership"
        r"|bad revision|Not a valid object name)|^(?:svn|abort|hg): .*(?:not a working copy|repository)"
        r"|^tar: stdout: write error|from LD_PRELOAD cannot be preloaded|XDG_RUNTIME_DIR|cannot open display"
        r"|not under version control|^npm (?:WARN|warn) |^\S+: recipe for target '.*' failed$",
        "", ("fatal: not a git repository (or any of the parent directories): .git", "tar: stdout: write error",
         "fs/ext2/ext2.mk:48: recipe for target 'x' failed"),
    ),
    Rule(
        "other", "noise", Rank.NOISE,
        ("0 error", "ERROR: 0", "ERRORS: 0", "errors: 0", "Errors: 0", "No error", "no error", "-Werror", "fatal=",
         "error=", "ignored", "(non-fatal)", "FAIL: 0", "XFAIL"),
        r"(?<!\d)0 (?:errors?|failures?)\b(?!.*\b[1-9]\d* (?:errors?|failures?))|^#? ?(?:ERROR|FAIL|ERRORS|XPASS"
        r"|errors|Errors): *0$|\b[Nn]o errors?\b(?! (?:was|mess))|^(?!.*(?:rror"
        r"|[Ff]ehler)\b[^=-]*: )(?:.*\s)?-Werror\b|^XFAIL|\((?:ignored|non-fatal)\)$|, ignor(?:ed|ing)\.?$",
        "", ("# ERROR: 0", "0 errors generated.", "CFLAGS = -Wall -Werror -O2",
         "make: [Makefile:3: clean] Error 1 (ignored)"),
    ),
    Rule(
        "other", "noise", Rank.NOISE, ("ot found", "hecking ", "Could NOT find", "ooking for", "Program ",
         "Run-time dependency", "-- "),
        r"^(?:checking |Checking |-- |Looking for |Performing |Detecting |Program \S+ found: |Run-time dependency "
        r"|(?:Library|Header) \S+ found: NO)(?!.*configure: error: )(?!.*error)(?!Configuring incomplete)",
        "", ("-- Could NOT find Doxygen (missing: DOXYGEN_EXECUTABLE)", "checking for zlib.h... not found"),
    ),
)  # fmt: skip

RELAYED: Final = (
    Rule(
        "other", "wrapper", Rank.MAKE,
        ("ERROR", "failed", "Failed", "failure", "FAILED", "FAILURE", "Aborting", "error: in phase", "exit status",
         "exit code", "did not complete", "Error happened", "exited with",
         "non-zero", "Error 1", "returned", "Build step", "gyp ERR! ", "Failed to build package", "Error during",
         "Error when running", "dpkg: error", "error code", "errored out", "Errors were", "errors occurred", "see above", "see error", "build fail",
          "Errors while", ".sh:"),
        r"^gyp ERR! |^Failed to build package |^Error (?:during|when running) |^(?:ERROR|error): Command .{1,900}(?:failed with|errored out)|^dpkg: error processing|^E: Sub-process "
        r"|^Errors were encountered while processing"
        r"|^==> (?:ERROR|ОШИБКА|FEHLER|ERREUR|错误|ERRO|ERRORE|FEL|HIBA|BŁĄD|HATA): (?!One or more)"
        r"|^ ?\* (?:ERROR: \S+/\S+ (?:failed|was)|The specific snippet|Call stack|\(|If you need support"
        r"|Working directory|S: |The complete build log|The ebuild)"
        r"|^(?:error|Error): (?:builder for|in phase|[Cc]annot build|[Bb]uild of(?!.*produce output)|\d+ dependencies of|build log"
        r"|[Bb]uild failed|Bad exit status|command failed|[Ss]ome|make\.|failed to build|Recipe '?\S+'? failed)"
        r"|^phase '\S+' failed"
        r"|^>> +(?:Build failed|Error happened|called)|^ERROR: (?:Task \(|package/|\S+ failed to build|Job failed"
        r"|Logfile of|Failed building wheel|Could not build wheels|Service '|process \"|Command errored"
        r"|failed to solve|Build failed|Parsing halted|Required build target)"
        r"|^ERROR: \S+ do_\w+: (?:Execution of|ExecutionError|oe_runmake failed|Function failed|Error executing)"
        r"|oe_runmake failed|ExecutionError\(|^ *ERROR: \S+(?: \[\w+\])? failed to build"
        r"|did not complete successfully|^Build step '|^Finished: FAILURE|script returned exit code"
        r"|Process completed with exit code"
        r"|returned a non-zero code|^FAILURE: Build failed|^BUILD FAILED|^Build FAILED|^! ?.* failed$"
        r"|^E: Build (?:failure|killed)|^npm ERR! (?:code ELIFECYCLE|errno|A complete log|Exit status|Failed at)"
        r"|^Command exited with non-zero|^The command .* exited with"
        r"|^make -r world: build failed|^\S+: build failed\. Please|^Test suite failed, dumping"
        r"|^[\w./-]+: exit(?:ed)? (?:with )?(?:status|code) \d+$|^RPM build errors|^ {4}Bad exit status"
        r"|^error: Bad exit status|^dpkg-buildpackage: error|^debuild: fatal|^dh_auto_\w+: error|^debian/rules:"
        r"|^ELIFECYCLE|^FAILED: Build did NOT|^%exception #<&invoke-error"
        r"|^(?:exit status|Error: Process completed|error: make\.sh)|^error: \S+\.sh:(?:build fail|exit)"
        r"|^Error: (?:exit status|building at STEP|error building at)|^(?:ninja"
        r"|samu): build stopped: (?!interrupted)|^scons: (?:\*\*\* \[.*\] Error|building terminated)"
        r"|^Build did NOT|^Target //\S+ failed to build|^ERROR: (?:Build did NOT|.* failed: \(Exit \d+\))"
        r"|^Errors while running CTest"
        r"|^\[ERROR\] (?:Failed to execute goal|-> \[Help|To see the full|Re-run Maven|For more information)"
        r"|^Failed to execute goal|^Execution failed for task|^\* What went wrong|^> Process 'command"
        r"|Command failed with exit code \d+$|^Build completed unsuccessfully|^Failed: exit status \d+"
        r"|Failed: exit status \d+$",
        "",
        ("==> ERROR: A failure occurred in build().", "dpkg: error processing x (--configure):",
         "E: Sub-process /usr/bin/dpkg returned an error code (1)",
         "ERROR: Command '/usr/bin/python3 setup.py install' failed with error code 1 in /tmp/x", " * ERROR: dev-libs/x-1.0::gentoo failed (compile phase):",
         "error: builder for '/nix/store/x.drv' failed with exit code 2;",
          "error: in phase 'check': uncaught exception:",
         "phase 'check' failed after 113.2 seconds", ">>  Build failed in step 'Installing core C gcc compiler'",
         "ERROR: Task (/x/y.bb:do_compile) failed with exit code '1'",
          "ERROR: package/feeds/packages/rust [host] failed to build.",
         "dh_auto_build: error: make -j4 returned exit code 2", "ninja: build stopped: subcommand failed.",
          "error: make.sh:build fail",
         'ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2', "Errors while running CTest"),
    ),
    Rule(
        "linker-error", "compiler driver", Rank.RELAYED,
        ("returned 1 exit", "linker command failed", "collect2: ", "linking with", "more undefined references",
         "exit status", "final link failed"),
        r"ld returned \d+ exit status|linker command failed|^collect2: error: |^error: linking with '"
        r"|more undefined references|: final link failed: ",
        "", ("/usr/bin/ld: final link failed: bad value", "collect2: error: ld returned 1 exit status",
         "clang: error: linker command failed with exit code 1 (use -v to see invocation)"),
    ),
    Rule(
        "compiler-error", "compiler driver", Rank.RELAYED,
        ("could not compile", "aborting due to", "treated as errors", "ompilation terminated", "ompilation failed",
         "warnings being", "errors generated", "error generated", "ompilation aborted"),
        r"could not compile '|^error: aborting due to|(?:being )?treated as errors?\b(?!.*: error: )"
        r"|^[Cc]ompilation (?:terminated|failed|aborted)(?! in require)|^\d+ errors? generated",
        "", ("error: could not compile 'rlimit'.", "cc1: some warnings being treated as errors",
         "compilation terminated."),
    ),
    Rule(
        "other", "compiler driver", Rank.RELAYED,
        ("could not compile", "aborting due to", "returned 1 exit", "exit status", "linker command failed",
         "treated as errors", "ompilation terminated", "ompilation failed",
         "BEGIN failed", "failed in require", "build failed", "not recoverable", "errors generated",
          "error generated", "warnings being", "CalledProcessError", "exit code", "subprocess-exited",
          "failed to run custom build",
         "linking with", "Backend subprocess", "./configure failed", "config.sub", "too many errors",
          "test failed, to rerun", "errors occurred", "collect2: ", "aborted due to", "SystemExit", "giving up",
          "process didn't exit", "Generating metadata", "metadata-generation-failed",
         "more undefined references", "rebuilding", "remake "),
        r"^BEGIN failed--|^Compilation failed in require"
        r"|^(?:error|warning): build failed|Error is not recoverable|^(?:subprocess\.)?CalledProcessError: "
        r"|^error: command '.*' failed|subprocess-exited-with-error|failed to run custom build command"
        r"|Backend subprocess exited"
        r"|too many errors|^error: test failed, to rerun|errors occurred!$|^SystemExit"
        r"|process didn't exit successfully|metadata-generation-failed"
        r"|^(?:ninja|samu): error: rebuilding|^(?:\S+: )?failed to remake ",
        "",
        ("subprocess.CalledProcessError: Command '['make']' returned non-zero exit status 2.",
         "tar: Error is not recoverable: exiting now", "-- Configuring incomplete, errors occurred!",
          ),
    ),
    Rule(
        "checksum-mismatch", "download", Rank.RELAYED, ("while checking hashes from",),
        r"^ERROR: while checking hashes from ", "", ("ERROR: while checking hashes from package/zlib/zlib.hash",),
    ),
    Rule(
        "configure-error", "configure", Rank.RELAYED, ("configure: error: in ", "configure: error: /bin/", "configure failed"),
        r"configure: error: (?:in '[^']*':$|/bin/(?:ba)?sh .*(?:config\.sub|configure).* failed|\./configure failed)", "",
        ("configure: error: in '/build/gmp-6.3.0':", "configure: error: /bin/bash build-aux/config.sub foo failed"),
    ),
)  # fmt: skip
