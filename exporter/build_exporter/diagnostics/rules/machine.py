"""Rules on the machine: memory, disk, permissions, signals, time, the network."""

from __future__ import annotations

from typing import Final

from build_exporter.diagnostics.rules.rule import Rank, Rule

_MEMORY: Final = "Lower the parallel jobs (-j) of this step, add swap, or give the container more memory."
_KILLED: Final = (
    "Something sent SIGKILL. Most often that is the kernel for want of memory: look into `dmesg` and the container's"
    " limit, and lower the parallel jobs (-j)."
)
_DISK: Final = "Free space (`df -h`, `df -i`): sources and build trees of finished steps, caches; then repeat the step."
_ACCESS: Final = "Check owner and mode of the file (`ls -l`), the user the step runs as, and read-only mounts."
_NETWORK: Final = "Check the network and the address; fetch the file by hand or from a mirror, then repeat the step."

MACHINE: Final = (
    Rule(
        "disk-full", "kernel", Rank.ROOT,
        ("No space left on device", "Disk quota exceeded", "ENOSPC", "disk space monitor", "free space", "disk is full",
         "not enough disk space", "write error (disk full?)", "Wrote only ", "isk is full"),
        r"^(?!.*/dev/full)(?!WARNING: ).*(?:No space left on device|Disk quota exceeded|\bENOSPC\b"
        r"|disk space monitor action is|not enough (?:free |disk )+space|[Dd]isk is full|write error \(disk full\?\)|^tar: .*: Wrote only \d+ of \d+ bytes)",
        _DISK,
        ("ranlib: libgame.a: No space left on device",
         "fatal error: error writing to /tmp/ccX.s: No space left on device",
         'ERROR: Immediately abort since the disk space monitor action is "ABORT"!',
         "mkdir: cannot create directory 'out': Disk quota exceeded"),
    ),
    Rule(
        "out-of-memory", "kernel", Rank.ROOT,
        ("ut of memory", "oom-kill", "OOMKilled", "oom_reaper", "annot allocate memory", "emory exhausted", "bad_alloc",
         "OutOfMemoryError", "MemoryError", "out-of-memory", "memory allocation of", "process OOM",
         "eap exhausted", "ENOMEM", "insufficient memory for", "GC overhead limit"),
        r"(?i:\bout of memory\b)|\boom-kill(?:er)?\b|OOMKilled|oom_reaper:|[Cc]annot allocate memory"
        r"|(?:virtual )?memory exhausted|std::bad_alloc|OutOfMemoryError|\bprocess OOM\b|^MemoryError\b|[Hh]eap exhausted|\bENOMEM\b|insufficient memory for|GC overhead limit|memory allocation of \d+ bytes",
        _MEMORY,
        ("virtual memory exhausted: Cannot allocate memory",
         "cc1plus: out of memory allocating 65536 bytes after a total of 812 bytes",
         "Memory cgroup out of memory: Killed process 812 (cc1plus)",
         "terminate called after throwing an instance of 'std::bad_alloc'",
         "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
         "/usr/bin/ld: final link failed: memory exhausted",
         "LLVM ERROR: out of memory"),
    ),
    Rule(
        "killed", "compiler driver", Rank.ROOT,
        ("Killed signal terminated", "error: Killed (program", "SIGKILL", "ignal 9", "command: Killed",
         "daemon disappeared unexpectedly"),
        r"Killed signal terminated program|unable to execute command: Killed|daemon disappeared unexpectedly|internal compiler error: Killed \(program|\bSIGKILL\b"
        r"|(?:killed|terminated|exited|died)\b.{0,40} signal 9\b|^Signal 9$",
        _KILLED,
        ("c++: fatal error: Killed signal terminated program cc1plus",
         "g++: internal compiler error: Killed (program cc1plus)",
         "  process didn't exit successfully: 'rustc --crate-name x' (signal: 9, SIGKILL: kill)",
         "collect2: fatal error: ld terminated with signal 9 [Killed]"),
    ),
    Rule(
        "killed", "shell", Rank.PROGRAM,
        ("Killed", "137"),
        r"(?:^|[:\]] )(?:\d+ )?Killed(?: {2,}\S.*|: 9)?(?: *\(core dumped\))?$|\b(?:exit(?:ed)? (?:with )?(?:code"
        r"|status)|Error) 137\b",
        _KILLED,
        ("/bin/sh: line 1: 41712 Killed                  cc1plus x.cc", "Killed",
         "make: *** [Makefile:7: a.o] Killed", "script returned exit code 137"),
    ),
    Rule(
        "timeout", "runner", Rank.TOOL,
        ("imed out after", "imed out (after", "maximum execution time", "took longer than", "timeout: sending signal",
         "exceeded the time",
         "BuildTimeout", "timed out with no output", "no output has been received", "of inactivity"),
        r"^(?!curl|wget|.*(?:[Cc]onnect|[Tt]est ))(?:.*[Bb]uild )?.{0,80}(?:timed out \(?after \S+ ?(?:s|sec|min|h"
        r"|minutes|seconds|hours)"
        r"|maximum execution time|execution took longer than|exceeded the time limit|no output has been received)"
        r"|^timeout: sending signal|timed out with no output|(?:after|for) \d+ (?:seconds|minutes) of inactivity",
        "The limit was reached: look whether the step still printed something (stuck) or only needs longer; raise it.",
        ("Build timed out (after 60 minutes). Marking the build as aborted.",
         "ERROR: Job failed: execution took longer than 1h0m0s seconds",
         "timeout: sending signal TERM to command 'make'", "Terminated after 3600 seconds of inactivity",
         "##[error]The job running on runner X has exceeded the maximum execution time of 360 minutes."),
    ),
    Rule(
        "interrupted", "person", Rank.STOP,
        ("KeyboardInterrupt", "interrupted by user", "Keyboard Interrupt", "Interrupt", "Terminated", "Hangup",
         "operation was canceled", "Exiting on signal", "SIGTERM", "SIGINT", "aborted by user", "aborted by the user", "borted by user", "borted by the user"),
        r"^KeyboardInterrupt$|[Ii]nterrupted by user|^Keyboard Interrupt"
        r"|^\S*make(?:\[\d+\])?: \*\*\* .*\] (?:Interrupt|Terminated|Hangup)"
        r"|operation was canceled|(?:[Rr]eceived|[Cc]aught|on) (?:signal )?SIG(?:TERM|INT)\b|^Interrupt$"
        r"|[Aa]borted by (?:the )?user|^Exiting on signal ",
        "Somebody or something ended the build; start it again where it stopped.",
        ("make: *** [Makefile:7: a.o] Interrupt", "KeyboardInterrupt", "ninja: build stopped: interrupted by user."),
    ),
    Rule(
        "checksum-mismatch", "download", Rank.TOOL,
        ("hecksum", "CHECKSUM", "ash mismatch", "ash Mismatch", "HASH mismatch", "VERIFY FAILED", "wrong sha",
         "wrong md5", "did NOT match",
         "alidity check", "BAD signature", ": FAILED", "digest", "Invalid checksum", "do not match the hash", "DO NOT MATCH THE HASH"),
        r"(?i:hash mismatch)|VERIFY FAILED|has wrong (?:sha\d+|md5) hash|checksums? (?:mismatch|failed"
        r"|did NOT match|verification failed)"
        r"|(?i:(?:checksum|digest)s?\b.{0,60}(?:mismatch|does ?n[o']t match|do not match|changed between|failed"
        r"|invalid|incorrect))"
        r"|[Ii]nvalid checksum|BAD signature|did not pass the validity check|^\S+\.(?:tar\S*|t?gz|xz|zip|patch|bz2"
        r"|zst|deb|rpm|whl|iso): FAILED"
        r"|DO NOT MATCH THE HASH|do not match the hash",
        "The file is not the one expected: delete it and fetch it again; where it fails again the list or the mirror is wrong.",
        ("sha256sum: WARNING: 1 computed checksum did NOT match",
         "ERROR: zlib-1.3.tar.xz has wrong sha256 hash:",
         "!!! Fetched file: zlib-1.3.tar.gz VERIFY FAILED!",
         "error: hash mismatch in fixed-output derivation '/gnu/store/x.drv':",
         "==> ERROR: One or more files did not pass the validity check!",
         "zlib-1.3.tar.xz: FAILED",
         "verifying example.org/mod@v1.2.0: checksum mismatch"),
    ),
    Rule(
        "download-failed", "package tool", Rank.TOOL + 1, ("!!! Couldn't download", "!!! Unable to fetch",
         "Fetcher failure"),
        r"^!!! (?:Couldn't download|Unable to fetch)|Fetcher failure for URL",
        _NETWORK, ("!!! Couldn't download 'font-unifont-15.1.04.patch'. Aborting.",
         "ERROR: zlib-1.3-r0 do_fetch: Fetcher failure for URL: 'https://example.org/zlib.tar.xz'."),
    ),
    Rule(
        "download-failed", "download", Rank.TOOL,
        ("curl: (", "ERROR 4", "ERROR 5", "esolve host", "ailed to download", "Couldn't download", "nable to fetch",
         "name resolution",
         "unable to access", "read from remote repository", "Failed to fetch", "dial tcp", "Failed to connect",
          "ailed to fetch", "onnection refused",
         "onnection timed out", "Fetcher failure", "Failed to get repo", "nable to download", "Max retries exceeded",
          "failed to clone", "ownload failed",
         "Failed retrieving file", "spurious network error", "Network is unreachable", "Could not download",
          "Unable to establish SSL", "404 Not Found",
         "certificate", "Connection reset", "Could not fetch", "cannot download", "urlopen error", "as a dependency of",
         "remote error: ", "early EOF", "RPC failed", "npm ERR! network", "npm error network", "net/http: ", "ETIMEDOUT",
         "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "No more mirrors", "Unable to connect to",
         "unable to connect to", "ould not connect to", "rror 4", "rror: 4", "rror 5", "rror: 5", "RROR: 4", "RROR: 5", "ould not resolve", "ouldn't resolve", "ailed to clone", "unable to establish SSL", "onnection reset", "ailed retrieving file", "ould not download", "ould not fetch", "HTTP Error ", "annot download", "into submodule path", "error: failed to get", "npm ERR! 404", "npm error 404"),
        r"^curl: \(\d+\)|(?:ERROR|error:?) (?:4\d\d|5\d\d)\b(?:: |$)|[Cc]ould(?: not|n't) resolve (?:host|proxy|hostname|'?[\w-]{1,60}\.\w)"
        r"|unable to resolve host|[Ff]ailed to (?:download|fetch|clone)|Couldn't download|[Uu]nable to (?:fetch"
        r"|download|establish SSL)"
        r"|Temporary failure in name resolution|unable to access '\w+://|Could not read from remote repository"
        r"|dial tcp|Failed to connect to"
        r"|(?:connect|http|wget|ssh|port \d+|tcp|fetch|\d+\.\d+\.\d+\.\d+).{0,120}[Cc]onnection (?:refused"
        r"|timed out|reset)|Fetcher failure|Failed to get repo|Max retries exceeded|(?<!\w)[Dd]ownload failed"
        r"|[Ff]ailed retrieving file|spurious network error|Network is unreachable|[Cc]ould not (?:download|fetch)"
        r"|HTTP Error \d+|urlopen error|certificate (?:verify failed|problem|has expired)|[Cc]annot download"
        r"|Clone of '.*' into submodule path .* failed|^error: failed to get '\S+' as a dependency|^fatal: remote error: "
        r"|^fatal: early EOF|RPC failed; |^npm (?:ERR!|error) (?:network|404) |net/http: |\bE(?:TIMEDOUT|CONNRESET"
        r"|NOTFOUND|AI_AGAIN)\b|^No more mirrors to try"
        r"|(?:[Uu]nable to|[Cc]ould not) connect to (?:a repository|the server|server|host|\S+\.\w+)",
        _NETWORK,
        ("curl: (22) The requested URL returned error: 404",
         "curl: (7) Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server",
         "2026-08-19 10:00:01 ERROR 404: Not Found.",
         "fatal: unable to access 'https://example.org/x.git/': Could not resolve host: example.org",
         "wget: unable to resolve host address 'example.org'", "error: RPC failed; curl 56 recv error",
         "npm ERR! 404 Not Found - GET https://registry.example/x",
         'go: example.org/x@v1: Get "https://proxy.example/": net/http: TLS handshake timeout',
         "E: Failed to fetch http://deb.example.org/x.deb  404  Not Found",
         'go: example.org/x@v1.0.0: Get "https://proxy/x": dial tcp: lookup proxy: no such host'),
    ),
    Rule(
        "permission-denied", "program", Rank.PROGRAM,
        ("ermission denied", "peration not permitted", "ead-only file system", "EACCES", "EPERM", "must be root",
         "are you root", "be run as root", "be root", "as root"),
        r"[Pp]ermission denied|[Oo]peration not permitted|[Rr]ead-only file system|\b(?:EACCES|EPERM)\b|(?:must"
        r"|should|needs? to) be (?:run as )?root\b|are you root\?",
        _ACCESS,
        ("install: cannot create regular file '/usr/lib/libz.a': Permission denied",
         "bash: ./configure: Permission denied", "cp: cannot create regular file '/usr/x': Read-only file system",
         "PermissionError: [Errno 13] Permission denied: '/usr/lib/x'"),
    ),
)  # fmt: skip
