"""Watch a real build from unpacking to installing, and compare each verdict with what `ps` shows of its processes.

    python tests/real/watched_build.py binutils_2.40.orig.tar.xz [CONFIGURE-OPTION...]

Each command of the build is a step of `build-exporter run`. Once a second the exporter's verdict is asked for; it is
right where `ps` has seen a process of that kind in the seconds that the verdict looks back. Takes what the build takes;
exits with 1 where fewer than 95 % of the verdicts are right, or any says that a running build is stuck.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, deque
from pathlib import Path

COMMAND = (sys.executable, "-m", "build_exporter")
LOOK_BACK = 12
"""Samples that a verdict may rest on: it averages over eight seconds and is renewed each two."""

SETTLE = 4
"""Samples after which an exporter on a busy machine has seen a new step."""

RIGHT_SHARE = 0.95

KINDS = {
    "unpacking": r"^(?:tar|xz|patch)$",
    "configuring": r"^(?:configure|conftest|config\.status|config\.guess)$|/configure( |$)|config\.status",
    "compiling": r"^(?:cc1|cc1plus|as|bison|flex|gcc|g\+\+|cc|c\+\+)$",
    "linking": r"^(?:ld|ld\.bfd|collect2|ar|ranlib)$",
    "testing": r"^(?:runtest|expect)$|make .*\bcheck",
    "installing": r"^(?:install|strip)$|make .*\binstall",
}
"""What of `ps` shows which kind of work: the names of programs, or words of their arguments."""


def kinds_seen(session: int) -> set[str]:
    """Return the kinds of work of a session's processes, as `ps` shows them."""
    found = subprocess.run(
        ["ps", "--no-headers", "-o", "comm=,args=", "-s", str(session)], capture_output=True, text=True, check=False
    ).stdout.splitlines()
    # variables that make hands on are no commands: INSTALL=/usr/bin/install
    found = [re.sub(r"\S*=\S*", "", line) for line in found]
    return {
        kind
        for kind, pattern in KINDS.items()
        for line in found
        if any(re.search(pattern, part) for part in (line.split(maxsplit=1)[0], line))
    }


def verdict_of(url: str, build: str) -> tuple[str, list[str]]:
    """Return verdict and evidence of the running step, `-` where none runs."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/builds/{build}/steps", timeout=10) as answer:
            steps = json.load(answer)
    except OSError:
        return "-", []
    running = [step for step in steps.get("steps", steps) if step["state"] == "running"]
    return (running[0]["verdict"] or "-", running[0]["verdict_evidence"]) if running else ("-", [])


def commands(tarball: Path, options: list[str], installed: Path) -> dict[str, list[str]]:
    """Return the steps: name and command, run in the build directory."""
    jobs = "-j2"
    return {
        "unpack": ["tar", "-xf", str(tarball), "--strip-components=1", "-C", "../source"],
        "configure": ["../source/configure", "--prefix=/usr", "MAKEINFO=true", *options],
        "build": ["make", jobs, "MAKEINFO=true"],
        "check": ["make", "MAKEINFO=true", "check-binutils"],
        "install": ["make", "MAKEINFO=true", f"DESTDIR={installed}", "install"],
    }


def watch(process: subprocess.Popen[bytes], url: str, step: str, wrong: list[str]) -> Counter[tuple[str, bool]]:
    """Return how often each verdict was right and wrong while a command ran."""
    counts: Counter[tuple[str, bool]] = Counter()
    seen: deque[set[str]] = deque(maxlen=LOOK_BACK)
    while process.poll() is None:
        seen.append(kinds_seen(process.pid))
        verdict, evidence = verdict_of(url, "real")
        if verdict != "-" and len(seen) > SETTLE:
            is_right = verdict in set().union(*seen)
            counts[verdict, is_right] += 1
            if not is_right:
                wrong.append(f"{step}: {verdict} {evidence}, ps shows {sorted(set().union(*seen))}")
        time.sleep(1)
    return counts


def main() -> int:
    """Build, watch and report."""
    tarball, options = Path(sys.argv[1]).resolve(), sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="watched-build-") as top:
        journal, build = Path(top, "journal"), Path(top, "build")
        for directory in (journal, build, Path(top, "source")):
            directory.mkdir()
        log = Path(top, "serve.log")
        with log.open("wb") as stream:
            server = subprocess.Popen(
                [*COMMAND, "serve", "--journal", str(journal), "--web.listen-address", "127.0.0.1:0"], stderr=stream
            )
        try:
            while not (found := re.search(r'listen"?[=:] ?"?(127\.0\.0\.1:\d+)', log.read_text())):
                time.sleep(0.1)
            return report(journal, build, f"http://{found[1]}", commands(tarball, options, Path(top, "installed")))
        finally:
            server.terminate()
            server.wait(30)


def report(journal: Path, build: Path, url: str, steps: dict[str, list[str]]) -> int:
    """Run the steps, print the table of verdicts, and return 1 where too many were wrong."""
    total: Counter[tuple[str, bool]] = Counter()
    wrong: list[str] = []
    for number, (step, command) in enumerate(steps.items()):
        words = [*COMMAND, "run", "--journal", str(journal), "--build", "real", "--phase", "real", "--step", step]
        new = ["--new"] if not number else []
        process = subprocess.Popen(
            [*words, *new, "--log", str(build / f"../{step}.log"), "--", "nice", "-n", "15", *command],
            cwd=build,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        began = time.monotonic()
        counts = watch(process, url, step, wrong)
        total += counts
        shown = ", ".join(f"{kind} {'right' if ok else 'WRONG'} {n}" for (kind, ok), n in sorted(counts.items()))
        print(f"{step:10} exit {process.returncode}, {time.monotonic() - began:5.0f} s: {shown}", flush=True)
    print("\n".join(wrong[:100]))
    right = sum(count for (_, ok), count in total.items() if ok)
    share = right / max(1, total.total())
    print(f"{right} of {total.total()} verdicts right, {share:.1%}")
    return 0 if share >= RIGHT_SHARE and not any(kind == "stuck" for kind, _ in total) else 1


if __name__ == "__main__":
    raise SystemExit(main())
