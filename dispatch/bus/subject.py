"""Subjects and patterns: what is one, and which fits which."""

import re
from functools import lru_cache
from typing import Final

from dispatch.ports import BODY_MOST

ANY_WORD: Final = "*"
ANY_REST: Final = ">"
KNOWN_MOST: Final = 4_096
"""Subjects that are remembered to be good; the oldest are looked at again."""
_WORD: Final = re.compile(r"[^\s.*>]+")


@lru_cache(KNOWN_MOST)
def guard_subject(subject: str) -> None:
    """Raise `ValueError` for what is no subject."""
    if not all(_WORD.fullmatch(word) for word in subject.split(".")):
        raise ValueError(f"not a subject: {subject!r}")


def guard_pattern(pattern: str) -> None:
    """Raise `ValueError` for what is neither a subject nor a pattern of them."""
    *first, last = pattern.split(".")
    words = [word for word in first if word != ANY_WORD]
    words += [] if last in {ANY_WORD, ANY_REST} else [last]
    if not all(_WORD.fullmatch(word) for word in words):
        raise ValueError(f"not a pattern: {pattern!r}")


def guard_body(body: bytes) -> bytes:
    """Return the body; raise `ValueError` for one that is too large."""
    if len(body) > BODY_MOST:
        raise ValueError(f"a message of {len(body)} bytes, and {BODY_MOST} is the most")
    return body


def fits(pattern: str, subject: str) -> bool:
    """Say whether a subject is one that the pattern means."""
    wanted, words = pattern.split("."), subject.split(".")
    if wanted[-1] == ANY_REST:
        wanted.pop()
        if len(words) <= len(wanted):
            return False
        words = words[: len(wanted)]
    if len(wanted) != len(words):
        return False
    return all(want in {ANY_WORD, word} for want, word in zip(wanted, words, strict=True))
