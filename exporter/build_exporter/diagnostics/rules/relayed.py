"""Rules on lines that are no reason: what builds that go well print too, and what hands a failure on."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

NOISE: Final = (
    Rule(
        "other", "noise", Rank.NOISE,
        ("RPM build errors", "ERROR while", " FAILED", "FAILURE: Build failed", "Use of uninitialized", "redefined at", "isn't numeric", "Useless use of", "used only once",
         " is deprecated", "Wide character in", " is experimental"),
        r"^RPM build errors:|^#?=+ ERROR while |^(?:> Task )?:\S+ FAILED$|^FAILURE: Build failed with an exception|^(?:Use of uninitialized value|Subroutine \S+ redefined at|Argument .* isn't numeric|Useless use of"
        r"|Name .* used only once|.* is (?:deprecated|experimental)\b.* at \S+ line|Wide character in )",
        "", ("RPM build errors:", "Use of uninitialized value $x in numeric lt (<) at /usr/share/perl5/x.pm line 413."),
    ),
    Rule(
        "other", "noise", Rank.NOISE,
        ("not a git repository", "No names found", "No tags can describe", "dubious ownership", "bad revision", "npm WARN", "npm warn", "recipe for target",
         "Not a valid object name", "not under version control",
         "stdout: write error", "LD_PRELOAD", "XDG_RUNTIME_DIR", "cannot open display", "is not a working copy",
          "there is no Mercurial repository", "no repository found", "abort: no", "Not a git repo", "not a working copy", "svn: ", "hg: ", "abort: "),
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
         "error=", "ignored", "(non-fatal)", "FAIL: 0", "XFAIL", "0 failure", "ERROR:0", "FAIL:0", "XPASS:", "XPASS: 0", "ERRORS:0", "rrors:0", ", ignoring", "FAIL:  "),
        r"(?<!\d)0 (?:errors?|failures?)\b(?!.*\b[1-9]\d* (?:errors?|failures?))|^#? ?(?:ERROR|FAIL|ERRORS|XPASS"
        r"|errors|Errors): *0$|\b[Nn]o errors?\b(?! (?:was|mess))|^(?!.*(?:rror"
        r"|[Ff]ehler)\b[^=-]*: )(?:.*\s)?-Werror\b|^XFAIL|\((?:ignored|non-fatal)\)$|, ignor(?:ed|ing)\.?$",
        "", ("# ERROR: 0", "0 errors generated.", "CFLAGS = -Wall -Werror -O2",
         "make: [Makefile:3: clean] Error 1 (ignored)"),
    ),
    Rule(
        "other", "noise", Rank.NOISE, ("ot found", "hecking ", "Could NOT find", "ooking for", "Program ",
         "Run-time dependency", "-- ", "Performing ", "Detecting ", "found: NO"),
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
         "non-zero", "Error 1", "returned", "Build step", "gyp ERR! ", "Failed to build", "Failed building wheel", "Error during",
         "Error when running", "dpkg: error", "error code", "errored out", "Errors were", "errors occurred", "see above", "see error", "build fail",
          "Errors while", ".sh:", "building terminated", "Function failed: ", "QA run found", "Error making: ", "failed running", "What went wrong", "Process ", "E: Sub-process ", "==> ", "* The ", "* Call stack", "* (", "* If you need", "* Working", "* S: ", "dependencies of", "error building at", "rror: builder for", "rror: in phase", "annot build", "uild of", " dependencies of ", "rror: build log", "rror: Some", "rror: some", "rror: make.", ">> called", ">>        called", "ExecutionError(", "E: Build killed", "npm ERR! ", "exited status", "command exited", "compilation failed for", "Error while building", "Child process exited", "exited with", "=> ERROR: ", "cannot continue", "ould not compile dep",
         "Compiling ", "builder for ", "build process ", "command ", "COMPILATION ERROR", "BUILD FAILURE", "error occurred while exec", "ProcessError", "MSB3073", "found in build log", "ncountered error while",
         "ExitFailure", "This error originates", "hint: ", "native extension", "[Cabal-7125]", "[S-7282]", "exited code", "exit with ", "dpkg-buildpackage: error", "debuild: fatal", "dh_auto_", "debian/rules:", "ELIFECYCLE", "invoke-error", "building at STEP", "build stopped: ", "scons: *** [", "Build did NOT", "completed unsuccessfully"),
        r"^gyp ERR! |^Failed to build(?: package)? \S|^ {0,6}Failed building wheel for |^\S+: Failed to build \S|^Error (?:during|when running) |^(?:ERROR|error): Command .{1,900}(?:failed with|errored out)|^dpkg: error processing|^E: Sub-process "
        r"|^Errors were encountered while processing"
        r"|^==> (?:ОШИБКА|FEHLER|ERREUR|错误|ERRO|ERRORE|FEL|HIBA|BŁĄD|HATA): |^==> ERROR: (?:A failure occurred|Build failed"
        r"|Makepkg was unable|An unknown error|'?\S+'? failed to build|One or more split|Failure while creating)"
        r"|^ ?\* (?:ERROR: (?!.*: patch )\S+/\S+ (?:failed(?: \([^)]*\))?:?(?:$| .{0,200}\b(?:failed|died|no error message))|was)|The specific snippet|Call stack|\(|If you need support"
        r"|Working directory|S: |The complete build log|The ebuild)"
        r"|^(?:error|Error): (?:builder for|in phase|[Cc]annot build|[Bb]uild of(?!.*produce output)|\d+ dependencies of|build log"
        r"|[Bb]uild failed|Bad exit status|command failed|[Ss]ome|make\.|failed to build|Recipe '?\S+'? failed)"
        r"|^phase '\S+' failed|^executor failed running|^Error making: |^FATAL ERROR: command exited|^#+ failed to build some targets|^The compilation of \S+ failed"
        r"|compilation failed for package|^Error while building|^Error: \[(?:Cabal-7125|S-7282)\]|^Error: module \S+: Child process exited|^=> ERROR: .* exited with \d+"
        r"|^=> ERROR: +in do_|^>>> ERROR: \S+: \w+ failed|^\*\*\* extconf\.rb failed|Failed to build gem native extension"
        r"|Bundler cannot continue|^could not compile dependency|^===> Compil(?:ation|ing \S+) failed|^COMPILATION ERROR|^BUILD FAILURE"
        r"|The following error occurred while executing|Compil(?:e|ation) failed; see the compiler|^builder for '|^build process \d+ exited|^command \".*\" failed with|error MSB3073"
        r"|^== FAILED: Installation|^==> Error: ProcessError|error(?:s)? found in build log|[Ee]ncountered error while generating"
        r"|^! Installing \S+ failed|^\S+ failed with exit (?:code|status):? \d+$|Process exited with code: ExitFailure"
        r"|^note: This error originates|^hint: "
        r"|^>> +(?:Build failed|Error happened|called)|^ERROR: (?:Command failed|Exception\(|Task (?:\d+ )?\(|Function failed: |QA run found fatal|package/|\S+ failed to build|Job failed"
        r"|Logfile of|Failed building wheel|Could not build wheels|Failed to build |Could not find a way to build|Service '|process \"|Command errored"
        r"|failed to solve|Build failed|Parsing halted|Required build target)"
        r"|^ERROR: \S+ do_\w+: (?:Execution of|ExecutionError|oe_runmake failed|Function failed|Error executing)"
        r"|oe_runmake failed|ExecutionError\(|^ *ERROR: \S+(?: \[\w+\])? failed to build"
        r"|did not complete successfully|^Build step '|^Finished: FAILURE|script returned exit code"
        r"|Process completed with exit code"
        r"|returned a non-zero code|^\* What went wrong: Execution failed|^BUILD FAILED|^Build FAILED|^! ?.* failed$"
        r"|^E: Build (?:failure|killed)|^npm ERR! (?:code ELIFECYCLE|errno|A complete log|Exit status|Failed at"
        r"|\S+ (?:pre|post)?(?:install|build|rebuild|prepare|test|publish|pack): )"
        r"|^Command exited with non-zero|^The command .* exited with"
        r"|^make -r world: build failed|^\S+: build failed\. Please|^Test suite failed, dumping"
        r"|^[\w./-]+: exit(?:ed)? (?:with )?(?:status|code) \d+$|^ {4}Bad exit status"
        r"|^error: Bad exit status|^dpkg-buildpackage: error: .*(?:status|subprocess| \d+$|failed)|^debuild: fatal|^dh_auto_\w+: error|^debian/rules:"
        r"|^ELIFECYCLE|^FAILED: Build did NOT|^%exception #<&invoke-error"
        r"|^(?:exit status|Error: Process completed|error: make\.sh)|^error: \S+\.sh:(?:build fail|exit)"
        r"|^Error: (?:exit status|building at STEP|error building at)|^(?:ninja"
        r"|samu): build stopped: (?!interrupted)|^scons: (?:\*\*\* \[.*\] Error|building terminated)"
        r"|^Build did NOT|^Target //\S+ failed to build|^ERROR: (?:Build did NOT|.* failed: \(Exit \d+\))"
        r"|^Errors while running CTest"
        r"|^\[ERROR\] (?:Failed to execute goal|-> \[Help|To see the full|Re-run Maven|For more information)"
        r"|^Failed to execute goal|^Execution failed for task|^\* What went wrong|^> Process 'command"
        r"|Command failed with exit code \d+\.?$|^Build completed unsuccessfully|^Failed: exit status \d+"
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
         "warnings being", "errors generated", "error generated", "ompilation aborted", "treated as error"),
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
          "process didn't exit", "panicked at ", "error occurred: Command ", "Generating metadata", "metadata-generation-failed",
         "more undefined references", "rebuilding", "remake ", "error: command "),
        r"^BEGIN failed--|^Compilation failed in require"
        r"|^(?:error|warning): build failed|Error is not recoverable|^(?:subprocess\.)?CalledProcessError: "
        r"|^error: command '.*' failed|subprocess-exited-with-error|failed to run custom build command"
        r"|Backend subprocess exited"
        r"|too many errors|^error: test failed, to rerun|errors occurred!$|^SystemExit"
        r"|process didn't exit successfully|metadata-generation-failed"
        r"|panicked at (?!.*Os \{).*(?:exit (?:code|status)|did not execute successfully|failed to run successfully)"
        r"|^error occurred: Command "
        r"|^(?:ninja|samu): error: rebuilding|^(?:\S+: )?failed to remake ",
        "",
        ("subprocess.CalledProcessError: Command '['make']' returned non-zero exit status 2.",
         "tar: Error is not recoverable: exiting now", "-- Configuring incomplete, errors occurred!",
          ),
    ),
    Rule(
        "download-failed", "gradle", Rank.RELAYED, ("Could not resolve all",),
        r"Could not resolve all (?:artifacts|files|dependencies|task dependencies) for ", "",
        ("> Could not resolve all files for configuration ':compileClasspath'.",),
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
