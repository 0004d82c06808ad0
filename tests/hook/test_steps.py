"""be_step and its kin: the build behaves as without them, and the journal shows how each step went."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

STRICT = ["", "set -e", "set -u", "set -f", "set -C", "set -eufC", "set -eu; IFS=e0", "set -a"]


@pytest.mark.parametrize("options", [*STRICT, "set -euo pipefail"])
def test_a_whole_build_under_any_options(hook: Any, options: str) -> None:
    """Whatever shell options and IFS a build script uses, all its events arrive and it runs to its end."""
    if "pipefail" in options and hook.name == "dash":
        options = "(set -o pipefail) 2>/dev/null && set -o pipefail"
    done = hook.run(f""". "$HOOK"; {options}
        be_start lfs-12.4 --target x86_64-lfs --book 'LFS 12.4' --jobs 08 --source hook --deadline 1790000000.5
        be_step chapter-5 binutils true
        be_step_start chapter-5 gcc --package gcc --version 15.2.0 --log gcc.log
        be_step_progress chapter-5 gcc 0.5 'half way'
        be_step_end succeeded
        be_step_start chapter-5 tests; be_step_end skipped
        be_step_start chapter-5 glibc; be_step_end failed 2
        be_milestone toolchain
        be_note 'a * b'
        be_end interrupted
        echo reached""")
    assert (done.stdout, done.stderr) == ("reached\n", "")
    run = next((hook.journal / "lfs-12.4").glob("*.jsonl")).stem
    expected = [
        {"event": "build_started", "run": run, "target": "x86_64-lfs", "book": "LFS 12.4", "jobs": 8, "source": "hook",
         "deadline": 1790000000.5},
        {"event": "step_started", "phase": "chapter-5", "step": "binutils"},
        {"event": "step_finished", "phase": "chapter-5", "step": "binutils", "status": "succeeded", "exit_code": 0},
        {"event": "step_started", "phase": "chapter-5", "step": "gcc", "package": "gcc", "version": "15.2.0",
         "log": f"{Path.cwd()}/gcc.log"},
        {"event": "step_progress", "phase": "chapter-5", "step": "gcc", "ratio": 0.5, "message": "half way"},
        {"event": "step_finished", "phase": "chapter-5", "step": "gcc", "status": "succeeded"},
        {"event": "step_started", "phase": "chapter-5", "step": "tests"},
        {"event": "step_finished", "phase": "chapter-5", "step": "tests", "status": "skipped"},
        {"event": "step_started", "phase": "chapter-5", "step": "glibc"},
        {"event": "step_finished", "phase": "chapter-5", "step": "glibc", "status": "failed", "exit_code": 2},
        {"event": "milestone_reached", "milestone": "toolchain"},
        {"event": "note", "message": "a * b"},
        {"event": "build_finished", "status": "interrupted"},
    ]  # fmt: skip
    unpredictable = {"time", "pid", "pid_namespace"}
    events = hook.events()
    assert {e["build"] for e in events} == {"lfs-12.4"}
    assert [{k: v for k, v in e.items() if k not in {*unpredictable, "build"}} for e in events] == expected
    assert all(e["pid"] > 1 for e in events if e["event"] == "step_started")


@pytest.mark.parametrize("code", [1, 2, 77, 126, 127, 255])
def test_status_of_the_command(hook: Any, code: int) -> None:
    """be_step returns what its command returned, in every place a command may stand."""
    done = hook.run(f""". "$HOOK"; be_start b; fail() {{ return {code}; }}
        be_step p external sh -c 'exit {code}'; echo $?
        be_step p function fail; echo $?
        if be_step p condition sh -c 'exit {code}'; then echo wrong; else echo $?; fi
        be_step p or fail || echo $?
        be_step p and fail && echo wrong
        ! be_step p not fail; echo $?
        be_step p pipe echo through | cat
        x=$(be_step p substitution fail); echo $?""")
    assert done.stdout.split() == [str(code)] * 4 + ["0", "through", str(code)]
    events = [e for e in hook.events() if e["event"] == "step_finished"]
    assert [e["exit_code"] for e in events if e["step"] != "pipe"] == [code] * 7
    assert {e["status"] for e in events if e["step"] != "pipe"} == {"failed"}


FAILING = {
    "program": ("be_step p s sh -c 'exit 9'", 9),
    "builtin": ("be_step p s false", 1),
    "function": ("be_step p s body", 7),
    "function that exits": ("be_step p s die", 5),
    "eval": ("be_step p s eval '(exit 7); echo wrong'", 7),
    "sourced file": ("be_step p s . ./failing.sh", 7),
    "missing": ("be_step p s ./no-such-program", 127),
}


@pytest.mark.parametrize("case", FAILING)
def test_errexit_stops_the_build_and_the_failure_is_reported(hook: Any, case: str, tmp_path: Any) -> None:
    """Under set -e a failed step ends the script where it would have without the hook, and the journal has it."""
    (tmp_path / "failing.sh").write_text("(exit 7)\necho wrong\n")
    call, code = FAILING[case]
    script = f""". "$HOOK"; cd "$HOME"; be_start b; set -e
        body() {{ (exit 7); echo wrong; }}
        die() {{ true; exit 5; }}
        {call}
        echo wrong"""
    assert hook.run(script, status=code).stdout == ""
    last = hook.events()[-1]
    assert (last["event"], last["status"], last["exit_code"]) == ("step_finished", "failed", code)


def test_errexit_ends_nested_steps_from_the_inside(hook: Any) -> None:
    """When a function inside a function's step fails, both steps are reported as failed, the inner one first."""
    hook.run(
        """. "$HOOK"; be_start b; set -e
        inner() { false; }; outer() { be_step p inner inner; }
        be_step p outer outer""",
        status=1,
    )
    assert list(hook.finished().items()) == [("inner", "failed"), ("outer", "failed")]


def test_a_subshell_ends_its_own_steps_only(hook: Any) -> None:
    """A function that fails in the background reports its step and not of the step around it."""
    hook.run(""". "$HOOK"; be_start b; set -e
        inner() { false; echo wrong; }
        outer() { be_step p first inner & wait; be_step p second inner & wait; }
        be_step p outer outer""")
    finished = [(e["step"], e["status"]) for e in hook.events() if e["event"] == "step_finished"]
    assert finished == [("first", "failed"), ("second", "failed"), ("outer", "succeeded")]


def test_errexit_is_off_where_the_shell_says_so(hook: Any) -> None:
    """In a condition a function runs on after a failed command, with the hook as without."""
    script = '. "$HOOK"; be_start b; set -e; body() { false; echo on; }; if be_step p s body; then echo yes; fi'
    assert hook.run(script).stdout == "on\nyes\n"


def test_a_function_keeps_what_it_sets(hook: Any) -> None:
    """A step that is a shell function runs in the shell itself: variables, directory and traps it sets stay."""
    done = hook.run(""". "$HOOK"; be_start b
        work() { made=yes; cd /; trap 'echo bye' EXIT; set -- other; }
        be_step p s work; echo "$made $PWD $#" """)
    assert done.stdout == "yes / 0\nbye\n"


def test_traps_of_the_caller_stay(hook: Any) -> None:
    """The caller's own EXIT trap runs once and is the same before, during and after a step."""
    done = hook.run(""". "$HOOK"; cd "$HOME"; be_start b; trap 'echo "mine"' EXIT; trap 'echo int' INT
        trap >before; work() { trap >during; }; be_step p s work; trap >after
        cmp before during && cmp before after && echo same""")
    assert done.stdout == "same\nmine\n"


def test_an_exit_trap_may_tell_the_end(hook: Any) -> None:
    """With `trap 'be_exit $?' EXIT` a script that stops in the middle leaves neither its steps nor the run open."""
    hook.run(
        """. "$HOOK"; trap 'be_exit $?' EXIT; be_start b; set -e
        work() { be_step_start p inner; false; }
        be_step_start p outer
        be_step p work work""",
        status=1,
    )
    assert hook.finished() == {"inner": "failed", "outer": "failed", "work": "failed"}
    assert hook.events()[-1]["event"] == "build_finished"
    assert hook.events()[-1]["status"] == "failed"


def test_an_exit_trap_adds_nothing_to_a_finished_build(hook: Any) -> None:
    """be_exit after be_end writes nothing, and in a child script it leaves the parent's run open."""
    hook.run(""". "$HOOK"; trap 'be_exit $?' EXIT; be_start b
        be_step p child sh -c '. "$HOOK"; trap "be_exit \\$?" EXIT; be_step_start p forgotten; exit 3'
        be_end succeeded""")
    assert [e["event"] for e in hook.events()].count("build_finished") == 1
    assert hook.events()[-1]["status"] == "succeeded"
    assert hook.finished() == {"forgotten": "failed", "child": "failed"}


@pytest.mark.parametrize(("signal", "number", "status"), [
    ("INT", 2, "interrupted"), ("TERM", 15, "interrupted"), ("HUP", 1, "interrupted"),
    ("KILL", 9, "failed"), ("SEGV", 11, "failed"),
])  # fmt: skip
def test_a_command_killed_by_a_signal(hook: Any, signal: str, number: int, status: str) -> None:
    """A step ended by a signal says which; one that people send is an interruption and no failure."""
    done = hook.run(f""". "$HOOK"; be_start b; be_step p s sh -c 'kill -{signal} $$'; echo $?""")
    assert done.stdout.split() == [str(128 + number)]
    event = hook.events()[-1]
    assert (event["status"], event["signal"], event["exit_code"]) == (status, number, 128 + number)


def test_steps_in_steps_and_child_scripts(hook: Any) -> None:
    """Functions and scripts that a step runs record steps of their own in the same run."""
    hook.run(""". "$HOOK"; be_start b
        inner() { be_step p innermost true; }
        outer() { be_step p inner inner; sh -c '. "$HOOK"; be_step p child true'; }
        be_step p outer outer""")
    assert len(list(hook.journal.glob("*/*.jsonl"))) == 1
    assert list(hook.finished()) == ["innermost", "inner", "child", "outer"]


def test_started_steps_end_in_reverse(hook: Any) -> None:
    """be_step_end ends the step started last, also around a be_step."""
    hook.run(""". "$HOOK"; be_start b
        be_step_start p a; be_step_start p 'b "2"'; be_step p c true
        be_step_end 0; be_step_end 130; be_step_end failed""")
    assert list(hook.finished().items()) == [("c", "succeeded"), ('b "2"', "succeeded"), ("a", "interrupted")]


def test_a_status_that_is_none_shows_as_a_failure(hook: Any) -> None:
    """A misspelt status is not lost: the step fails and says what it was given."""
    hook.run('. "$HOOK"; be_start b; be_step_start p s; be_step_end "suceeded"')
    assert hook.events()[-1]["status"] == "failed"
    assert "suceeded" in hook.events()[-1]["message"]


def test_parallel_steps(hook: Any) -> None:
    """Steps run at once in the background of one script each keep their own name, status and process id."""
    done = hook.run(""". "$HOOK"; be_start b; fail() { return "$1"; }
        for i in 1 2 3 4 5 6 7 8; do
            be_step "p $i" "program $i" sh -c 'echo "$0 $PPID"; exit $0' "$i" &
            be_step "p $i" "function $i" fail "$i" &
        done; wait""")
    parents = dict(line.split() for line in done.stdout.splitlines())
    events = [e for e in hook.events() if "step" in e]
    assert len(events) == 32
    for event in events:
        name, number = event["step"].split()
        assert event["phase"] == f"p {number}"
        assert event.get("exit_code", int(number)) == int(number)
        if event["event"] == "step_started" and name == "program":
            assert event["pid"] == int(parents[number])


def test_no_process_id_when_asked(hook: Any) -> None:
    """In a container, where ids mean nothing outside, BE_NO_PID leaves them out."""
    hook.run('. "$HOOK"; be_start b; be_step p s true; be_step_start p t', BE_NO_PID="1")
    assert not [e for e in hook.events() if "pid" in e]


def test_a_killed_shell_writes_nothing_more(hook: Any) -> None:
    """After kill -9 the journal ends with the step's start, whose process id is no longer there to be seen."""
    hook.run('. "$HOOK"; be_start b; work() { kill -9 $$; }; be_step p s work', status=-9)
    last = hook.events()[-1]
    assert last["event"] == "step_started"
    with pytest.raises(ProcessLookupError):
        os.kill(last["pid"], 0)


def test_two_scripts_write_one_run(hook: Any) -> None:
    """Two shells that build the same thing at once share its run and no line of either is damaged."""
    first = '. "$HOOK"; be_start b'
    hook.run(first)
    script = '. "$HOOK"; be_start b; i=0; while [ $i -lt 150 ]; do be_step "$1" "s$i" :; i=$((i+1)); done'
    processes = [subprocess.Popen(hook.command(script, phase), env=hook.environment) for phase in ("one", "two")]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(list(hook.journal.glob("*/*.jsonl"))) == 1
    assert sum(e["event"] == "step_finished" for e in hook.events()) == 300


def test_two_builds_at_once(hook: Any) -> None:
    """Builds of different names keep to their own files."""
    script = '. "$HOOK"; be_start "$1"; i=0; while [ $i -lt 50 ]; do be_step p "s$i" :; i=$((i+1)); done; be_end 0'
    processes = [subprocess.Popen(hook.command(script, name), env=hook.environment) for name in ("one", "two")]
    assert [process.wait(60) for process in processes] == [0, 0]
    for name in ("one", "two"):
        assert [e["build"] for e in hook.events(name)] == [name] * 102


def test_no_command_and_no_names(hook: Any) -> None:
    """Calls with arguments missing stop nothing and make valid events; a step without a command makes none."""
    script = (
        '. "$HOOK"; set -eu; be_start; be_step; be_step p; be_step p s; be_step_start; be_step_end; be_step_progress'
    )
    hook.run(f"{script}; be_milestone; be_note; be_plan; be_exit; be_end")
    events = [event["event"] for event in hook.events("build")]
    assert events == ["build_started", "step_started", "step_finished", "step_progress", "milestone_reached", "note"]
