"""The first-error card: everything a person needs, in few bytes, from the journal and the log alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from build_exporter.cli import main
from build_exporter.diagnostics.rules import use
from build_exporter.failures import MAX_CARD_BYTES, card
from build_exporter.formatting import clock_time
from build_exporter.journal.append import Writer
from build_exporter.journal.layout import run_path
from build_exporter.model.events import BuildStarted, Event, StepFinished, StepStarted, TestsReported, encode_line
from build_exporter.tracker import Run, apply_all

RUN = "20260101T000000Z"
LOG = """\
gcc -O2 -c list.c -o list.o
gcc -O2 -c tree.c -o tree.o
tree.c: In function 'insert':
tree.c:41:9: error: 'struct node' has no member named 'left'
   41 |     node->left = made;
      |         ^~
make[2]: *** [Makefile:9: tree.o] Error 1
make[1]: *** [Makefile:4: all] Error 2
"""


def failed_run(log: Path | None = None, **finished: object) -> Run:
    """Return a run whose second attempt at a step of the book has failed."""
    run = Run("lfs", "20260101T000000Z")
    apply_all(run, events(log, **finished))
    return run


def events(log: Path | None = None, **finished: object) -> list[Event]:
    """Return the events of such a run."""
    fields: dict[str, Any] = {"exit_code": 2, "status": "failed"} | finished
    step: dict[str, Any] = {"build": "lfs", "phase": "chapter-8", "step": "810-gcc"}
    started = [StepStarted(**step, time=time, log=str(log) if log else None) for time in (10.0, 30.0)]
    ended = [StepFinished(**step, time=time, **fields) for time in (20.0, 40.5)]
    begin: list[Event] = [BuildStarted(time=9.0, build="lfs", book="12.4-systemd")]
    return [*begin, started[0], ended[0], started[1], ended[1]]


def test_a_card_says_what_failed_where_and_what_to_do() -> None:
    """A person sees the reason, its class, place, context, attempt, page of the book and advice at one look."""
    run = failed_run()
    made = card(run, run.steps["chapter-8", "810-gcc"], LOG.splitlines())
    assert made.reason == "tree.c:41:9: error: 'struct node' has no member named 'left'"
    assert (made.class_, made.location, made.attempt, made.exit_code) == ("compiler-error", "tree.c:41", 2, 2)
    assert made.since == 40.5
    assert "   41 |     node->left = made;" in made.context
    assert made.evidence[0] == "exit code 2"
    assert (made.hint or "").startswith("Open the place named")
    assert made.page == "https://www.linuxfromscratch.org/lfs/view/12.4-systemd/chapter08/gcc.html"


def test_a_card_has_the_fields_of_the_contract() -> None:
    """Pages, alerts and scripts find each field under the name they were promised."""
    run = failed_run()
    fields = json.loads(msgspec.json.encode(card(run, run.steps["chapter-8", "810-gcc"])))
    assert list(fields) == [
        "build",
        "run",
        "phase",
        "step",
        "attempt",
        "class",
        "reason",
        "context",
        "location",
        "exit_code",
        "signal",
        "evidence",
        "hint",
        "blocked_steps",
        "since",
        "log",
        "page",
    ]


def test_no_log_can_make_a_card_large_or_steer_a_terminal() -> None:
    """The longest and strangest texts give a card of at most 4,096 bytes without control characters."""
    run = failed_run()
    step = run.steps["chapter-8", "810-gcc"]
    for text in (
        "x.c:1:1: error: " + "語" * 3000,
        "\x1b]0;a\x07\x9berror: \u202e" * 90,
        'error: \\"' * 900,
        "\x00" * 500,
    ):
        step.message, step.log = text, "/" + text
        made = card(run, step, [text] * 40)
        encoded = json.dumps(msgspec.to_builtins(made))
        assert len(encoded) <= MAX_CARD_BYTES
        assert not [c for c in msgspec.json.decode(msgspec.json.encode(made), type=dict).values() if "\x1b" in str(c)]


def test_secrets_of_a_log_are_not_on_its_card() -> None:
    """What stands round an error often holds tokens and passwords: none is shown."""
    run = failed_run()
    lines = [
        "curl -H 'Authorization: Bearer aaaBBB111222' https://me:hunter2@example.org/x",
        "A" * 64,
        "curl: (22) error 404",
    ]
    shown = msgspec.json.encode(card(run, run.steps["chapter-8", "810-gcc"], lines)).decode()
    assert "download-failed" in shown
    assert not [secret for secret in ("aaaBBB111222", "hunter2", "A" * 64) if secret in shown]


def test_the_journal_knows_more_than_the_log() -> None:
    """Reason and class that the writer of the event gave stay, the log only adds to them."""
    run = failed_run(message="tree.c:41:9: error: no member", error_class="patch-failed", signal=9, exit_code=None)
    made = card(run, run.steps["chapter-8", "810-gcc"], LOG.splitlines())
    assert (made.reason, made.class_, made.signal) == ("tree.c:41:9: error: no member", "patch-failed", "SIGKILL")
    assert "compiler: tree.c:41:9: error: 'struct node' has no member named 'left'" in made.evidence


def test_explain_needs_journal_and_log_alone(tmp_path: Path) -> None:
    """`explain` answers without an exporter, in words or as JSON, and says so when nothing has failed."""
    log = tmp_path / "810-gcc.log"
    log.write_text(LOG)
    path = run_path(str(tmp_path / "journal"), "lfs", "20260101T000000Z")
    writer = Writer(path)
    for event in events(log):
        writer.append(encode_line(event))
    writer.close()
    arguments = ["explain", "--journal", str(tmp_path / "journal")]
    answer = CliRunner().invoke(main, [*arguments, "--output", "json", "810-gcc"])
    assert answer.exit_code == 0
    assert json.loads(answer.output)["class"] == "compiler-error"
    text = CliRunner().invoke(main, arguments).output
    assert "no member named 'left'" in text
    assert "place      tree.c:41" in text
    assert CliRunner().invoke(main, [*arguments, "811-none"]).exit_code == 2
    assert CliRunner().invoke(main, ["explain", "--journal", str(tmp_path)]).exit_code == 1


def test_a_repaired_step_is_explained_by_what_it_failed_of(tmp_path: Path) -> None:
    """A step that succeeded after a failure has its attempt, time, reason named, as has `explain` without a name."""
    writer = Writer(run_path(str(tmp_path), "lfs", RUN))
    step: dict[str, Any] = {"build": "lfs", "phase": "chapter-8", "step": "810-gcc"}
    repaired = [StepStarted(**step, time=50.0), StepFinished(**step, time=60.0, status="succeeded")]
    other = StepStarted(build="lfs", phase="chapter-8", step="811-sed", time=61.0)
    for event in [*events(message="no space left", error_class="disk-full"), *repaired, other]:
        writer.append(encode_line(event))
    writer.close()

    def explained(*name: str) -> list[str]:
        done = CliRunner().invoke(main, ["explain", *name, "--journal", str(tmp_path)])
        assert done.exit_code == 1
        return done.output.splitlines()

    words = [
        f"lfs: chapter-8/810-gcc failed {clock_time(40.5)}, attempt 2; it has succeeded since",
        "  class      disk-full", "  reason     no space left", "  all        build-exporter errors --build lfs",
    ]  # fmt: skip
    assert explained("810-gcc") == words
    assert explained() == ["nothing fails now; 2 attempts failed earlier, the last of them:", *words]
    assert explained("811-sed") == ["811-sed has not failed"]


def test_without_a_log_nothing_is_made_up(tmp_path: Path) -> None:
    """Where only the exit code is known, it is said once, and how to have a log next time."""
    writer = Writer(run_path(str(tmp_path), "lfs", RUN))
    for event in events(exit_code=1):
        writer.append(encode_line(event))
    writer.close()
    shown = CliRunner().invoke(main, ["explain", "--journal", str(tmp_path)]).output
    lines = [line.split(maxsplit=1) for line in shown.splitlines()[1:]]
    assert [name for name, _ in lines] == ["class", "reason", "ended", "log", "page"]
    assert [value for _, value in lines[1:3]] == ["exit code 1", "exit code 1"]
    assert "BE_LOG_DIR" in lines[3][1]
    assert "--log" in lines[3][1]
    run = failed_run(exit_code=1, message="no licence")
    assert card(run, run.steps["chapter-8", "810-gcc"]).evidence == ("exit code 1",)


def test_a_log_of_somebody_else_is_not_shown(tmp_path: Path) -> None:
    """An event may name any file: only a plain one of the run's own user is read, so no link leads elsewhere."""
    secret = tmp_path / "secret"
    secret.write_text("root:x:0:0: error: secret\n")
    link = tmp_path / "log"
    link.symlink_to(secret)
    writer = Writer(run_path(str(tmp_path / "journal"), "lfs", "20260101T000000Z"))
    for event in events(link):
        writer.append(encode_line(event))
    writer.close()
    answer = CliRunner().invoke(main, ["explain", "--journal", str(tmp_path / "journal"), "--output", "json"])
    assert answer.exit_code == 0
    assert "root:x" not in answer.output


RULES = """\
failures:
  rules:
    - pattern: '^licence server .* busy$'
      error_class: timeout
      hint: Wait for a licence.
"""


def test_a_rule_of_the_configuration_decides(tmp_path: Path) -> None:
    """A user's own rule decides, whatever the journal and the compiler say."""
    config, log, path = tmp_path / "config.yml", tmp_path / "gcc.log", Path(run_path(str(tmp_path / "j"), "lfs", RUN))
    config.write_text(RULES)
    log.write_text(f"licence server a.example busy\n{LOG}")
    writer = Writer(str(path))
    for event in events(log, message="tree.c:41:9: error: no member", error_class="compiler-error"):
        writer.append(encode_line(event))
    writer.close()
    words = ["explain", "--journal", str(tmp_path / "j"), "--output", "json"]
    plain = json.loads(CliRunner().invoke(main, words).stdout)
    try:
        own = json.loads(CliRunner().invoke(main, [*words, "--config", str(config)]).stdout)
    finally:
        use(())
    assert plain["class"] == "compiler-error"
    assert (own["class"], own["reason"], own["hint"]) == (
        "timeout",
        "licence server a.example busy",
        "Wait for a licence.",
    )


def test_explain_prefers_a_step_with_a_cause(tmp_path: Path) -> None:
    """Of steps that failed one after the other, the one that only followed is not the one explained."""
    writer = Writer(run_path(str(tmp_path), "lfs", RUN))
    follower: dict[str, Any] = {"build": "lfs", "phase": "chapter-8", "step": "tools/gcc"}
    for event in [
        *events(message="tree.c:41:9: error: no member", error_class="compiler-error"),
        StepStarted(**follower, time=41.0),
        StepFinished(**follower, time=42.0, status="failed", exit_code=2),
    ]:
        writer.append(encode_line(event))
    writer.close()
    found = CliRunner().invoke(main, ["explain", "--journal", str(tmp_path), "--output", "json"])
    assert json.loads(found.stdout)["step"] == "810-gcc"


def test_advice_and_counts_are_of_the_failure_itself() -> None:
    """No advice on a compiler's error where the journal knows of a kill; tests with errors count with the failed."""
    run = failed_run(error_class="killed", message="Killed")
    fields: dict[str, Any] = {"build": "lfs", "phase": "chapter-8", "step": "810-gcc"}
    apply_all(run, [TestsReported(time=41.0, suite="gcc", passed=5, failed=1, errors=2, **fields)])
    made = card(run, run.steps["chapter-8", "810-gcc"], LOG.splitlines())
    assert made.class_ == "killed"
    assert not (made.hint or "").startswith("Open the place named")
    assert "3 tests failed" in made.evidence
