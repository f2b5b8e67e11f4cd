"""Subjects and patterns: what is one, and which fits which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.bus.subject import fits, guard_pattern, guard_subject

WORDS = st.lists(st.sampled_from(["ev", "loc", "a", "b"]), min_size=1, max_size=5)


@pytest.mark.parametrize("subject", ["a", "kapok.1f2e.ev.310112.offer", "loc.闵行.n-1_2"])
def test_words_with_dots_are_a_subject(subject: str) -> None:
    """In any language; as a pattern it fits itself."""
    guard_subject(subject)
    guard_pattern(subject)
    assert fits(subject, subject)


@pytest.mark.parametrize("pattern", ["*", ">", "a.*.b", "a.*.>", "*.*"])
def test_stars_and_a_last_rest_are_a_pattern_and_no_subject(pattern: str) -> None:
    """A message goes to one subject."""
    guard_pattern(pattern)
    with pytest.raises(ValueError, match="not a subject"):
        guard_subject(pattern)


@given(WORDS, st.data())
def test_a_star_fits_any_one_word(words: list[str], data: st.DataObject) -> None:
    """Whichever words are replaced."""
    pattern = ".".join(data.draw(st.sampled_from([word, "*"])) for word in words)
    assert fits(pattern, ".".join(words))
    assert not fits(pattern, ".".join([*words, "a"]))
    assert not fits(f"{pattern}.*", ".".join(words))


@given(WORDS, WORDS)
def test_a_rest_fits_one_word_or_more(words: list[str], rest: list[str]) -> None:
    """Never none."""
    pattern = ".".join([*words, ">"])
    assert fits(pattern, ".".join(words + rest))
    assert not fits(pattern, ".".join(words))


@given(WORDS, WORDS)
def test_other_words_do_not_fit(words: list[str], others: list[str]) -> None:
    """Without a star, only the very same."""
    assert fits(".".join(words), ".".join(others)) == (words == others)
