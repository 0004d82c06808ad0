"""Answers for language models stay within their budget, and say what they leave out."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from build_exporter.mcp.bounded import MIN_BYTES, encode

# a long text of few letters: drawing each of hundreds takes seconds
texts = st.builds(lambda text, times: text * times, st.text(max_size=5), st.integers(0, 60))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | texts,
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=8),
    max_leaves=120,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), plain, max_size=8), st.integers(MIN_BYTES, 4096))
def test_no_answer_is_larger_than_its_budget(answer: dict[str, object], budget: int) -> None:
    """Whatever a build holds, an answer is JSON that fits."""
    text = encode(answer, budget)
    assert len(text.encode()) <= budget
    json.loads(text)


def test_what_fits_is_whole() -> None:
    """An answer that fits is not touched."""
    answer = {"steps": [1, 2, 3], "text": "x" * 500}
    assert json.loads(encode(answer, 1024)) == answer


def test_the_longest_list_gives_way_and_is_named() -> None:
    """Of a long list the first rows stay, the other fields stay, and `cut` counts what is missing."""
    answer = {"build": "lfs", "steps": [{"step": f"step-{n}"} for n in range(400)], "failures": ["one"]}
    cut = json.loads(encode(answer, 1024))
    assert cut["build"] == "lfs"
    assert cut["failures"] == ["one"]
    assert cut["steps"][0] == {"step": "step-0"}
    assert len(cut["steps"]) + cut["cut"]["steps"] == 400
