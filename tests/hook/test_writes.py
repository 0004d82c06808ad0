"""Each event is one write(), seen by strace; the script itself passes shellcheck."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest


def writes(hook: Any, trace: Path, script: str, *arguments: str) -> list[int]:
    """Return the bytes of each write() to the run file while a script ran."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    run = hook.journal / "b" / "20260101T000000Z.jsonl"
    run.parent.mkdir()
    # a file a process: in one for all, a call during which another process was seen stands in two pieces
    command = ["strace", "-ff", "-ttt", "-y", "-e", "trace=write,writev,pwrite64", "-o", str(trace)]
    done = subprocess.run(
        [*command, *hook.command(script, *arguments)],
        env={**hook.environment, "BUILD_EXPORTER_RUN_FILE": str(run)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    pattern = re.compile(rf"^([\d.]+) p?write\w*\(\d+<{re.escape(str(run))}>.* = (\d+)$", re.MULTILINE)
    found = [call for path in trace.parent.glob(f"{trace.name}.*") for call in pattern.findall(path.read_text())]
    return [int(size) for _, size in sorted(found, key=lambda call: float(call[0]))]


def test_one_write_an_event(hook: Any, tmp_path: Path) -> None:
    """Every event reaches the kernel whole, the widest too: lines of writers at once can't be mixed."""
    widest = "\x1b" * 1200
    script = """. "$HOOK"; be_step p s true; be_step_start "$1" "$1" --package "$1" --version "$1" --log "/$2"
        be_step_progress "$1" "$1" 0.123456789 "$1"; be_step_end "$1"; be_step "$1" "$1" false || true
        be_milestone "$1"; be_note "$1"; be_end failed"""
    sizes = writes(hook, tmp_path / "trace", script, widest, "l" * 490)
    lines = next(hook.journal.glob("b/*.jsonl")).read_bytes().splitlines(keepends=True)
    assert sizes == [len(line) for line in lines]
    assert len(sizes) == 10
    assert 3000 < max(sizes) < 4096


def test_one_write_a_plan(hook: Any, tmp_path: Path) -> None:
    """A plan of many kilobytes is one write as well."""
    (tmp_path / "plan").write_text("".join(f"chapter-8 801-step-{i} 1.5 package 1.0\n" for i in range(600)))
    sizes = writes(hook, tmp_path / "trace", '. "$HOOK"; be_note x; be_plan "$HOME/plan"')
    assert len(sizes) == 2
    assert sizes[1] > 40_000


def test_no_process_for_an_event(hook: Any, tmp_path: Path) -> None:
    """An event without special characters forks nothing."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    script = """. "$HOOK"; be_start b; be_note first; : >"$HOME/from-here"
        be_step_start p s --package gcc --version 15; be_step_progress p s 0.5 'it is half done (really)'; be_step_end 0
        be_step p t :; be_milestone m; be_note n; be_end 0"""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=process,openat,open", "-o", str(trace), *hook.command(script)]
    done = subprocess.run(command, env=hook.environment, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr.lower():
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    after = trace.read_text().split("from-here", 1)[1]
    assert not re.findall(r"\b(?:v?fork|clone3?)\(", after)


def test_shellcheck() -> None:
    """The script is clean POSIX sh by shellcheck's rules, save what it says it does on purpose."""
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    from build_exporter import shell  # noqa: PLC0415

    script = Path(str(shell.__file__)).with_name("build-events.sh")
    done = subprocess.run(["shellcheck", "-s", "sh", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_shell_parses_the_script(hook: Any) -> None:
    """The script has no construct that one of the shells would refuse to read."""
    subprocess.run([*hook.shell, "-n", str(hook.path)], check=True)
