"""The table of rules: each row's examples are its tests, and no line makes a row slow."""

from __future__ import annotations

import re
import time

import pytest
from alternatives import parse, samples

from build_exporter.diagnostics.diagnosis import diagnose
from build_exporter.diagnostics.rules import RULES, WORDS, Rank, Rule, rule_of, use
from build_exporter.model.states import FAILURE_CLASSES

ROWS = [pytest.param(rule, example, id=f"{rule.kind}: {example[:40]}") for rule in RULES for example in rule.examples]


@pytest.mark.parametrize(("rule", "example"), ROWS)
def test_the_first_row_that_matches_is_the_examples_own(rule: Rule, example: str) -> None:
    """A line of a kind that the table knows gets that kind's class, whatever other rows say."""
    assert rule_of(example) is rule


def test_no_word_holds_a_quote_that_tools_write_in_many_ways() -> None:
    """Words are looked for before quotes are made straight: one with a quote would miss the same line in UTF-8."""
    quoted = re.compile(r"(?<!\w)'|'(?!\w)|[`\"]")
    assert [word for word in WORDS if quoted.search(word)] == ["thread 'rustc'"]


def test_every_row_has_a_known_class_an_example_and_advice() -> None:
    """No row is dead, and every class that can be acted on says how."""
    for rule in RULES:
        assert rule.kind in FAILURE_CLASSES
        assert rule.examples
        assert rule.hint or rule.kind == "other" or rule.rank in (Rank.NOISE, Rank.RELAYED), rule.examples[0]


def test_no_alternative_of_a_row_lacks_its_word() -> None:
    """What a pattern knows is found: a line without a word of its row is never matched against it."""
    lacking = [
        (rule.examples[0], sample)
        for rule in RULES
        for sample in samples(parse(rule.pattern).data)
        if rule.words and not any(word in sample for word in rule.words)
    ]
    assert [sample for _, sample in lacking] == []


def test_every_class_but_other_has_a_row() -> None:
    """Each class of the closed set can be reached by what a build prints."""
    assert {rule.kind for rule in RULES} == FAILURE_CLASSES


def test_a_rule_of_ones_own_comes_before_the_table() -> None:
    """Who knows his build better than the table decides himself, whatever else the build printed, even in a command."""
    own = Rule("timeout", "you", Rank.OWN, (), r"simulator hung", "Restart the licence server.", ())
    lines = ["x.c:1:2: error: no", "+ echo simulator hung: error 3", "make: *** [all] Error 1"]
    use((own,))
    try:
        found = diagnose([f"#7 1.5 {line}" for line in lines])
    finally:
        use(())
    assert (found.error_class, found.reason, found.is_own) == ("timeout", "+ echo simulator hung: error 3", True)
    assert found.hint == "Restart the licence server."
    assert diagnose(lines).error_class == "compiler-error"


HOSTILE = [
    unit * (20_000 // len(unit))
    for unit in (
        "a",
        " ",
        ":",
        "a:",
        "error ",
        "/",
        "a.c:1:",
        "x ",
        "[",
        "(",
        "'",
        "error: a ",
        "ld: ",
        "not found ",
        "1",
    )
] + [word + ("a" * 20_000) for word in ("configure: error: ", "CMake Error at ", "make: *** [", "checksum ", "ERROR: ")]


@pytest.mark.parametrize("line", HOSTILE, ids=[line[:12] for line in HOSTILE])
def test_a_hostile_line_costs_no_more_than_its_length(line: str) -> None:
    """No line that a build can print makes a pattern backtrack for long."""
    began = time.perf_counter()
    for rule in RULES:
        for word in rule.words[:3]:
            rule.matches(line[: 20_000 - len(word)] + word)
            rule.matches(word + line)
    assert time.perf_counter() - began < 3.0
