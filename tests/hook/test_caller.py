"""What a script had before an event it has after it: options, variables, traps, output."""

from __future__ import annotations

import re
from typing import Any

import pytest

EVENTS = """be_start b --jobs 4; be_step p 'a "b" é' true
be_step_start p s; be_step_progress p s 0.5 'é'; be_step_end 0
be_plan "$HOME/plan"; be_milestone m; be_note 'x\\y'; be_step p function work; be_end 0"""
STATE = """state() {
    printf '<%s>\\n' "$IFS" "${LC_ALL-unset}" "$PWD" "$OPTIND" "$*" "$#" "$-" "$!" "${LC_CTYPE-unset}"
    set +o; umask; trap
}"""


@pytest.mark.parametrize(
    "options", ["", "set -euf; set -C", "IFS=:; umask 027; trap 'echo x' INT", "unset LC_ALL", "set -a"]
)
def test_state_is_unchanged(hook: Any, options: str, tmp_path: Any) -> None:
    """Options, IFS, locale, directory, positional parameters, $!, umask and traps are as they were."""
    (tmp_path / "plan").write_text("p s 1 gcc 15\n")
    hook.run(
        f"""{STATE}; work() {{ :; }}; sleep 0 & {options}
        . "$HOOK"; state "$@" >"$HOME/before"
        {EVENTS}
        state "$@" >"$HOME/after" """,
        "one two",
        "*",
    )
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
    assert len(hook.events()) == 12


def test_only_names_of_its_own(hook: Any, tmp_path: Any) -> None:
    """The hook sets no variable that a build could be using: its own begin with _be_ or BUILD_EXPORTER_."""
    (tmp_path / "plan").write_text("p s 1 gcc 15\n")
    hook.run(
        f"""work() {{ :; }}; before='' after=''; [ -z "${{BASH_VERSION-}}" ] || set -o posix
        set >"$HOME/before"; . "$HOOK"; {EVENTS}
        set >"$HOME/after" """,
    )
    before, after = (
        set(re.findall(r"(?m)^(\w+)=", (tmp_path / name).read_text(errors="replace"))) for name in ("before", "after")
    )
    shells_own = {"_", "BASH_REMATCH", "PIPESTATUS", "FUNCNAME", "LINENO", "EPOCHREALTIME", "BASHPID", "OLDPWD"}
    assert {n for n in after - before - shells_own if not n.startswith(("_be_", "BUILD_EXPORTER_"))} == set()


def test_children_inherit_only_the_run(hook: Any) -> None:
    """Programs the build runs see two or three variables more, and none of the hook's private ones."""
    done = hook.run('. "$HOOK"; be_start b; be_step p s env')
    added = {line.split("=")[0] for line in done.stdout.splitlines()} - set(hook.environment)
    assert added <= {"BUILD_EXPORTER_RUN_FILE", "BUILD_EXPORTER_CLOCK", "PWD", "OLDPWD", "SHLVL", "_"}


def test_exported_private_variables_of_a_parent_are_not_taken_over(hook: Any) -> None:
    """Under set -a a child shell inherits the hook's variables, and still ends only steps of its own."""
    hook.run("""set -a; . "$HOOK"; be_start b; be_step_start p outer
        sh -c '. "$HOOK"; be_step_end succeeded; be_step p child true'; be_step_end failed""")
    finished = [(e["step"], e["status"]) for e in hook.events() if e["event"] == "step_finished"]
    assert finished == [("child", "succeeded"), ("outer", "failed")]


def test_every_function_returns_zero_and_prints_nothing(hook: Any) -> None:
    """Nothing that reports a build can make a step fail or get into its output; wrong calls are reported, each once."""
    calls = """be_start b --jobs many --deadline never --what
        be_start b --target
        be_step_start p s --log
        be_step_start p s --log '' --package '' --what else
        be_step_progress p s much message
        be_step_end
        be_step_end what 1x
        be_step_end succeeded
        be_milestone ''
        be_note
        be_plan /no/such/plan
        be_plan /no/such/plan
        be_step p
        be_step p s
        be_exit 3
        be_start 'bad name'
        be_end
        be_end nosuch
        be_end nosuch"""
    checked = "".join(f"{call.strip()}; echo $?\n" for call in calls.splitlines())
    done = hook.run(f'. "$HOOK"; echo $?; {checked}')
    assert set(done.stdout.split()) == {"0"}
    not_ended = "is not succeeded, failed, interrupted or an exit status; the run is not ended"
    assert done.stderr.splitlines() == [
        f"build-events: {complaint}"
        for complaint in (
            "be_plan: can not read the file '/no/such/plan'",
            "be_step: PHASE STEP COMMAND... are needed; nothing is run or recorded",
            "be_start: a build's name is 1 to 100 of A-Z a-z 0-9 . _ + -; it is recorded as bad-name",
            f"be_end: '' {not_ended}",
            f"be_end: 'nosuch' {not_ended}",
        )
    ]
    assert len(hook.events("b")) == 10
    assert [event["event"] for event in hook.events("bad-name")] == ["build_started"], "no alert for a slip"


def test_tracing_shows_the_build_and_not_the_hook(hook: Any) -> None:
    """Under set -x the trace holds a few lines an event, not the inside of the hook."""
    done = hook.run('. "$HOOK"; be_start b; set -x; be_note "a \\"b\\" é"; be_step p s true')
    assert len(done.stderr.splitlines()) < 25
    assert "_be_emit" not in done.stderr
    assert "+ true" in done.stderr


@pytest.mark.parametrize("hook", ["bash", "posix"], indirect=True)
def test_the_err_trap_of_bash(hook: Any) -> None:
    """An ERR trap fires for a failed step and for nothing else, with and without errtrace."""
    for option in ("", "set -E;"):
        done = hook.run(
            f""". "$HOOK"; {option} trap 'echo ERR' ERR; be_start b; be_note x; be_step p s true; be_end 0"""
        )
        assert done.stdout == ""
        assert (
            "ERR"
            in hook.run(f""". "$HOOK"; {option} trap 'echo ERR' ERR; be_start b; be_step p s false; true""").stdout
        )
        done = hook.run(
            f""". "$HOOK"; {option} trap 'echo ERR' ERR; be_start b; be_note x; true""",
            BUILD_EXPORTER_JOURNAL="/proc/nowhere",
        )
        assert done.stdout == ""


def test_standard_input_is_the_builds(hook: Any, tmp_path: Any) -> None:
    """Events read nothing from stdin: what is there is there for the step."""
    (tmp_path / "in").write_text("one\ntwo\n")
    done = hook.run('. "$HOOK"; exec <"$HOME/in"; be_start b; be_note x; be_step p s cat')
    assert done.stdout == "one\ntwo\n"


def test_files_of_the_journal_follow_the_umask(hook: Any) -> None:
    """Who may read the journal is decided by the umask of the build."""
    hook.run('umask 027; . "$HOOK"; be_start b')
    run = next(hook.journal.glob("b/*.jsonl"))
    assert (run.stat().st_mode & 0o777, run.parent.stat().st_mode & 0o777) == (0o640, 0o750)
