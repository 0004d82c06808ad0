"""Tables of the hook's limits: exit codes, names, paths and plans just inside and just outside of them."""

from __future__ import annotations

from typing import Any

import pytest

CODES: list[tuple[str, tuple[str, int | None, int | None]]] = [
    ("0", ("succeeded", 0, None)), ("1", ("failed", 1, None)), ("127", ("failed", 127, None)),
    ("128", ("failed", 128, None)), ("129", ("interrupted", 129, 1)), ("130", ("interrupted", 130, 2)),
    ("131", ("failed", 131, 3)), ("137", ("failed", 137, 9)), ("143", ("interrupted", 143, 15)),
    ("192", ("failed", 192, 64)), ("193", ("failed", 193, None)), ("255", ("failed", 255, None)),
    ("000130", ("interrupted", 130, 2)), ("123456789012", ("failed", None, None)), ("-1", ("failed", None, None)),
    ("", ("failed", None, None)), ("skipped", ("skipped", None, None)), ("Succeeded", ("failed", None, None)),
]  # fmt: skip
NAMES = [
    ("x" * 100, "x" * 100), ("x" * 101, "x" * 100), ("x" * 99 + "//y", "x" * 99), ("a b", "a-b"), ("a/../b", "a-..-b"),
    ("--a--", "a"), ("...", "build"), ("..x", "..x"), ("", "build"), ("/", "build"), ("A+b_C.1", "A+b_C.1"),
]  # fmt: skip


def test_how_a_step_ended(hook: Any) -> None:
    """A status of 129 to 192 is a signal; those that a person or a shutdown sends are an interruption."""
    hook.run('. "$HOOK"; be_start b; for s; do be_step_start p s; be_step_end "$s"; done', *[each for each, _ in CODES])
    found = [e for e in hook.events() if e["event"] == "step_finished"]
    assert [(e["status"], e.get("exit_code"), e.get("signal")) for e in found] == [expected for _, expected in CODES]
    assert [each for each, e in zip([each for each, _ in CODES], found, strict=True) if e.get("message")] == [
        "123456789012", "-1", "", "Succeeded",
    ]  # fmt: skip


def test_names_of_builds(hook: Any) -> None:
    """A build's name is a file's name of up to a hundred characters; what can't be in one becomes one hyphen."""
    script = '. "$HOOK"; for t; do _be_file_name "$t" build; printf "%s\\n" "$_be_named"; done'
    assert hook.run(script, *[text for text, _ in NAMES]).stdout.splitlines() == [name for _, name in NAMES]


@pytest.mark.parametrize("root", ["", "/mnt/lfs"])
def test_paths_of_logs(hook: Any, root: str) -> None:
    """A log's path has the root of the chroot before it, and is left out where an event would become too long."""
    paths = ["/" + "x" * (499 - len(root)), "/" + "x" * (500 - len(root)), "x", ""]
    script = 'cd /tmp; . "$HOOK"; be_start b; for p; do be_step_start p s --log "$p"; done'
    hook.run(script, *paths, BE_ROOT=root)
    expected = [root + paths[0], None, f"{root}/tmp/x", None]
    assert [e.get("log") for e in hook.events() if e["event"] == "step_started"] == expected


def test_a_plan_at_the_limit(hook: Any, tmp_path: Any) -> None:
    """A plan of 65,200 bytes is recorded and one of a byte more is not."""
    # {"phase":"p","step":""} takes 23 bytes without the name, and 299 commas stand between 300 of them
    assert 300 * 23 + 299 + 101 * 194 + 199 * 193 == 65_200
    for longer in (101, 102):
        names = ["x" * 194] * longer + ["x" * 193] * (300 - longer)
        (tmp_path / f"plan{longer - 101}").write_text("".join(f"p {name}\n" for name in names))
    done = hook.run('. "$HOOK"; be_start b; be_plan "$HOME/plan0"; be_plan "$HOME/plan1"; be_note after')
    assert "plan1 is not recorded" in done.stderr
    assert [len(e.get("steps", ())) for e in hook.events()] == [0, 300, 0], "each is a whole line, and it goes on"


def test_the_process_is_left_out_where_asked(hook: Any) -> None:
    """With BE_NO_PID, as in a container, no event has a process id; otherwise builds and steps have."""
    script = '. "$HOOK"; be_start b --new --jobs 08 --deadline 1,5; be_step_start p s; be_step p t true'
    hook.run(script)
    assert ["pid" in e for e in hook.events()] == [True, True, True, False]
    assert (hook.events()[0]["jobs"], hook.events()[0]["deadline"]) == (8, 1.5)
    hook.run(script.replace("start b", "start c"), BE_NO_PID="1")
    assert not any("pid" in e for e in hook.events("c"))
