"""What a text from outside may be before it is kept."""

from typing import Final

NAME_CHARS: Final = 120
SHOWN_CHARS: Final = 40


def tidy(text: str) -> str:
    """Return the text without space around it, and with single blanks inside."""
    return " ".join(text.split())


def is_plain(text: str, most_chars: int) -> bool:
    """Tell whether there is some text, not too much, and all of it printable.

    NUL and lone surrogates, which no database takes, are not printable.
    """
    return 0 < len(text) <= most_chars and text.isprintable()


def shown(text: str) -> str:
    """Return a text as a message may quote it: escaped, and cut where it is long."""
    cut = text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
    return repr(cut)
