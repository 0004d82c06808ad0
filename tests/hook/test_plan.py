"""be_plan: the steps to come, from a file that is as easily written by hand as by a script."""

from __future__ import annotations

from typing import Any

import pytest

PLAN = """# my build
chapter-5 501-binutils-pass1 1 binutils 2.45
chapter-5\t502-gcc-pass1\t3.8\tgcc 15.2.0   # the long one

  chapter-5 503-linux-headers .1
chapter-5 504-glibc glibc 2.42
chapter-5 505-libstdc++
nothing
chapter-5 50*\\"6" 1,5 a#b\r
last one"""

STEPS = [
    {"phase": "chapter-5", "step": "501-binutils-pass1", "sbu": 1.0, "package": "binutils", "version": "2.45"},
    {"phase": "chapter-5", "step": "502-gcc-pass1", "sbu": 3.8, "package": "gcc", "version": "15.2.0"},
    {"phase": "chapter-5", "step": "503-linux-headers", "sbu": 0.1},
    {"phase": "chapter-5", "step": "504-glibc", "package": "glibc", "version": "2.42"},
    {"phase": "chapter-5", "step": "505-libstdc++"},
    {"phase": "chapter-5", "step": '50*\\"6"', "sbu": 1.5, "package": "a#b"},
    {"phase": "last", "step": "one"},
]


@pytest.mark.parametrize("options", ["", "set -eu", "set -euf; IFS=5"])
def test_a_plan(hook: Any, tmp_path: Any, options: str) -> None:
    """Every line with a phase and a step is a step of one plan event, in their order."""
    (tmp_path / "plan").write_bytes(PLAN.encode())
    done = hook.run(f'. "$HOOK"; {options or ":"}; be_start b; be_plan "$HOME/plan"; echo on')
    assert (done.stdout, done.stderr) == ("on\n", "")
    assert [e["steps"] for e in hook.events() if e["event"] == "plan"] == [STEPS]


def test_a_plan_measured_in_bytes(hook: Any, tmp_path: Any) -> None:
    """The limit is one of bytes, also where characters are wider than one."""
    (tmp_path / "wide").write_text("".join(f"chapter-8 {'漢' * 60}{i}\n" for i in range(330)))
    done = hook.run('. "$HOOK"; be_start b; be_plan "$HOME/wide"')
    assert "not recorded" in done.stderr
    assert len(hook.events()) == 1


def test_an_empty_plan(hook: Any, tmp_path: Any) -> None:
    """A file without steps is no plan."""
    (tmp_path / "empty").write_text("# nothing yet\n")
    hook.run('. "$HOOK"; be_start b; be_plan "$HOME/empty"')
    assert len(hook.events()) == 1
