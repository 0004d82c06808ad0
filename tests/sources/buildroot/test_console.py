"""What make prints beside build-time.log: why steps of Buildroot failed, and when."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.attach import Attachment
from build_exporter.sources.buildroot.log import NOT_ENDED
from build_exporter.tracker import Run

Runs = list[Run]
GIVEN_UP = "make: *** [package/pkg-generic.mk:273: /b/output/build/{directory}/.stamp_{stamp}] {end}\n"


def failed(reason: str, directory: str = "host-tool-1.2", stamp: str = "configured", end: str = "Error 1") -> str:
    """Return what make prints of a step that fails."""
    given_up = GIVEN_UP.format(directory=directory, stamp=stamp, end=end)
    return f">>> {directory.replace('-1', ' 1')} Working\n{reason}\n{given_up}"


def test_a_failure_has_the_reason_that_make_printed(output: Any, imported: Callable[..., Runs]) -> None:
    """Of a step without an end `br.log` says why it failed; without it, only that it has not ended is known."""
    output.step("extract", "host-tool")
    output.add("start", "configure", "host-tool")
    (run,) = imported(output.output)
    assert run.steps["configure", "host-tool"].message == NOT_ENDED
    printed = "\x1b[7m>>> host-tool 1.2 Configuring\x1b[27m\n" + failed("configure: error: no usable m4 was found")
    (output.output / "br.log").write_text("".join(f"2026-11-30T13:36:18 {line}\n" for line in printed.splitlines()))
    (run,) = imported(output.output)
    step = run.steps["configure", "host-tool"]
    assert (step.state.label, step.exit_code, step.error_class) == ("failed", 1, "configure-error")
    assert step.message == "configure: error: no usable m4 was found"


def test_downloads_that_fail(output: Any, imported: Callable[..., Runs]) -> None:
    """A file that is not the one expected is the reason, however many mirrors lack another; one that a directory lacks
    was not downloaded."""
    output.add("start", "download", "zlib")
    tries = "".join(
        f"wget -nd -O 'x' 'https://{n}.example/z.xz'\nwget: unable to resolve host address '{n}'\n" for n in "abc"
    )
    wrong = f"ERROR: z.xz has wrong sha256 hash:\nERROR: expected: {'0a' * 32}\nERROR: got     : {'1b' * 32}\n"
    absent = "cp -v '/mirror/z.xz' 'x'\ncp: cannot stat '/mirror/z.xz': No such file or directory\n"
    for printed, kind in (
        (wrong + tries, "checksum-mismatch"),
        (tries, "download-failed"),
        (absent, "download-failed"),
    ):
        (output.output / "br.log").write_text(failed(printed, "zlib-1.3", "downloaded"))
        (run,) = imported(output.output)
        assert run.steps["download", "zlib"].error_class == kind


def test_a_reason_is_of_its_own_step(output: Any, imported: Callable[..., Runs]) -> None:
    """What an attempt or another package printed before is no reason; side by side, one above another's title is."""
    console: Path = output.output / "br.log"
    for step in ("patch", "configure"):
        output.add("start", step, "host-tool", 1000)
    patch = ">>> host-lib 1 Copying files\n" + failed(
        "1 out of 2 hunks FAILED -- saving rejects to file a.c.rej", stamp="patched"
    )
    console.write_text(patch + failed("/bin/bash: line 1: ./configure: No such file or directory", end="Error 127"))
    messages = {step.phase: step.message for run in imported(output.output) for step in run.steps.values()}
    assert messages["configure"] == "/bin/bash: line 1: ./configure: No such file or directory"
    assert "hunks FAILED" in str(messages["patch"])
    titles = ">>> host-tool 1.2 Patching\n>>> host-lib 1 Patching\n>>> host-tool 1.2 Configuring\n"
    error = "configure: error: no m4\n>>> host-lib 1 Building\nmake[1]: Nothing to be done\n"
    console.write_text(
        patch + titles + error + GIVEN_UP.format(directory="host-tool-1.2", stamp="configured", end="Error 1")
    )
    assert imported(output.output)[-1].steps["configure", "host-tool"].message == "configure: error: no m4"


@pytest.mark.parametrize("keeps_all", [True, False])
def test_each_attempt_has_its_own_reason(keeps_all: bool, output: Any, imported: Callable[..., Runs]) -> None:
    """A console appended to explains every attempt, one written over explains the newest and no other."""
    for _ in range(3):
        output.add("start", "configure", "host-tool", 1000)
    console = output.output / "mine.log"
    texts = [failed(f"configure: error: {word} is missing") for word in ("m4", "bison", "flex")]
    console.write_text("".join(texts if keeps_all else texts[-1:]))
    runs = imported(output.output, console=str(console))
    messages = [run.steps["configure", "host-tool"].message for run in runs]
    newest = "configure: error: flex is missing"
    older = [f"configure: error: {word} is missing" for word in ("m4", "bison")] if keeps_all else [NOT_ENDED] * 2
    assert messages == [*older, newest]


def test_a_build_that_was_stopped_has_not_failed(output: Any, imported: Callable[..., Runs]) -> None:
    """Where make was ended by Ctrl-C, step and build are interrupted, and nothing has failed."""
    output.add("start", "build", "host-tool")
    (output.output / "br.log").write_text(failed("cc -c a.c", stamp="built", end="Interrupt"))
    (run,) = imported(output.output)
    assert (str(run.state), run.steps["build", "host-tool"].state.label) == ("interrupted", "interrupted")


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_make_that_was_ended_with_its_console(is_kept: bool, output: Any, imported: Callable[..., Runs]) -> None:
    """Ctrl-C ends `utils/brmake`, too, before make can say so: where it was kept up to then, nothing has failed."""
    output.clock = 1_790_000_000.5
    begun = output.add("start", "build", "host-tool", 0)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(begun - (5 if is_kept else -5)))
    (output.output / "br.log").write_text(f"{at} >>> host-tool 1.2 Building\n{at} cc -c a.c\n")
    (run,) = imported(output.output)
    state = "interrupted" if is_kept else "failed"
    assert (str(run.state), run.steps["build", "host-tool"].state.label) == (state, state)


def test_a_failure_is_known_while_others_go_on(
    output: Any, attach: Callable[..., Attachment], runs_of: Callable[..., Runs]
) -> None:
    """With packages built side by side a step fails when make gives it up, not when the last of the others ends."""
    console: Path = output.output / "br.log"
    console.write_text(">>> acl-tools 2 Building\n>>> acl 2.4 Configuring\n")
    output.clock = time.time() - 60
    output.add("start", "build", "acl-tools")
    output.add("start", "build", "acl")
    follower = attach(output.output)
    follower.poll(time.time())
    with console.open("a") as file:
        file.write("checking for O_CLOEXEC... a.c:3:10: fatal error: attr.h: No such file or directory\n")
        file.write("compilation terminated.\nmake[2]: *** [Makefile:7: a.o] Error 1\nchecking for strdup... ")
        file.write(GIVEN_UP.format(directory="acl-tools-2", stamp="built", end="Error 2"))
    follower.poll(time.time())
    (run,) = runs_of()
    states = {key: step.state.label for key, step in run.steps.items()}
    assert states == {("build", "acl-tools"): "failed", ("build", "acl"): "running"}
    step = run.steps["build", "acl-tools"]
    assert (step.error_class, step.seconds and step.seconds > 50) == ("missing-header", True)
    output.add("end", "build", "acl")
    follower.poll(time.time())
    attach(output.output).poll(time.time() + 90_000)
    (run,) = runs_of()
    assert (str(run.state), run.steps["build", "acl"].state.label) == ("failed", "succeeded")
    assert attach(output.output).poll(time.time() + 90_000) == 0, "a restart has nothing new"


def test_a_dated_console_dates_failures(output: Any, imported: Callable[..., Runs]) -> None:
    """Of a build attached to late `br.log` says when a step failed, not only that it did by the time of its repair."""
    output.clock = 1_790_000_000.25
    begun = output.add("start", "build", "acl", 0)
    output.step("build", "attr", 5)
    output.add("start", "extract", "zlib", 600)
    output.step("build", "acl", 5)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(begun + 40))
    printed = failed("a.c:1:10: fatal error: x.h: No such file or directory", "acl-2", "built")
    (output.output / "br.log").write_text("".join(f"{at} {line}\n" for line in printed.splitlines()))
    step = imported(output.output)[0].steps["build", "acl"]
    assert (list(step.ends), step.attempts) == ([1_790_000_040.0, output.clock], 2)


def test_a_console_written_late(output: Any, attach: Callable[..., Attachment], runs_of: Callable[..., Runs]) -> None:
    """Where what make printed comes after it was seen to be gone, the step has failed for that reason all the same."""
    output.clock = time.time() - 60
    console: Path = output.output / "br.log"
    console.write_text(f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.localtime(output.clock))} >>> acl 2.4 Building\n")
    output.add("start", "build", "acl")
    follower = attach(output.output)
    follower.poll(time.time())
    follower.source._log.end()  # type: ignore[attr-defined]
    follower.poll(time.time())
    assert str(runs_of()[0].status) == "interrupted"
    with console.open("a") as file:
        file.write(failed("a.c:1:1: error: x", "acl-2.4", "built"))
    follower.poll(time.time())
    (run,) = runs_of()
    step = run.steps["build", "acl"]
    assert (step.state.label, step.message, step.attempts) == ("failed", "a.c:1:1: error: x", 1)


def test_what_fails_after_the_last_step_fails_the_build(
    output: Any, attach: Callable[..., Attachment], runs_of: Callable[..., Runs]
) -> None:
    """A build that ends in an error of finalizing or of an image has failed, though every step has an end."""
    console: Path = output.output / "br.log"
    console.write_text(">>> acl 2.4 Installing to target\n")
    output.clock = time.time() - 60
    output.step("install-target", "acl")
    follower = attach(output.output)
    follower.poll(time.time())
    with console.open("a") as file:
        file.write(">>>   Finalizing target directory\nboard/post-build.sh: line 3: depmod: command not found\n")
        file.write("make[1]: *** [Makefile:740: target-finalize] Error 127\nmake: *** [Makefile:23: _all] Error 2\n")
    follower.poll(time.time())
    follower.poll(time.time() + 1000)
    (run,) = runs_of()
    step = run.steps["finish", "target-finalize"]
    assert (str(run.state), step.state.label, step.exit_code) == ("failed", "failed", 127)
    assert step.message == "board/post-build.sh: line 3: depmod: command not found"


def test_an_old_failure_is_not_that_of_the_step_at_work(
    output: Any, attach: Callable[..., Attachment], runs_of: Callable[..., Runs]
) -> None:
    """After a repair, attaching late to a step that is built again does not fail it by what was printed before."""
    output.clock = time.time() - 60
    output.add("start", "build", "host-tool")
    output.add("start", "build", "host-tool", 30)
    console: Path = output.output / "br.log"
    console.write_text(failed("a.c:1: error: x", stamp="built") + ">>> host-tool 1.2 Building\ncc -c a.c\n")
    attach(output.output).poll(time.time())
    (run,) = runs_of()
    step = run.steps["build", "host-tool"]
    assert (step.state.label, step.attempts) == ("running", 2)
