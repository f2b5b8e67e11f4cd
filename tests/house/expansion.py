"""Read a migration as its statements, and tell which take something from the build before."""

import re
from collections.abc import Iterator
from typing import Final

ASIDE: Final = re.compile(
    r"--[^\n]*|/\*.*?\*/|(?P<tag>\$\w*\$).*?(?P=tag)|'(?:[^']|'')*'", re.DOTALL
)
"""Comments, bodies of functions and texts, whichever begins first."""
MADE: Final = re.compile(r"^create (?:unlogged )?table (?:if not exists )?(\w+)")
ALTERED: Final = re.compile(r"^alter table (?:if exists )?(?:only )?(\w+) (.*)$")
UNIQUE: Final = re.compile(r"^create unique index .*?\bon (?:only )?(\w+)")
BETWEEN_ACTIONS: Final = re.compile(r",\s*(?=(?:add|drop|alter|rename|set|validate)\b)")

TAKEN: Final = {
    r"^drop\b": "drops what the build before uses",
    r"^(truncate|delete)\b": "deletes what the build before reads",
    r"^revoke\b": "takes a right away",
    r"^do\b": "does what cannot be seen here",
    r"^(alter .*\b)?rename\b": "the build before knows the old name",
    r"^alter (column )?\w+ (set data )?type\b": "the build before reads the old type",
    r"^alter (column )?\w+ set not null\b": "the build before may write null",
    r"^alter (column )?\w+ drop (default|expression|identity)\b": "the build before relies on it",
    r"^add (constraint|check|primary key|unique|foreign key|exclude)\b": "the build before may "
    "write what it refuses",
    r"^add (?!.*\b(default|generated)\b).*\b(not null|primary key)\b": "the build before writes "
    "no value",
}
"""What a statement, or one action of `alter table`, takes from the build before."""


def complaints(sql: str) -> list[str]:
    """Return a sentence for everything in a migration that does not only expand."""
    made = set[str]()
    found = list[str]()
    for statement in _statements(sql):
        if table := MADE.match(statement):
            made.add(table[1])
        found += _of(statement, made)
    return found


def _of(statement: str, made: set[str]) -> list[str]:
    """Judge a statement; what is done to a table made in the same file takes nothing away."""
    altered, unique = ALTERED.match(statement), UNIQUE.match(statement)
    if altered is not None:
        actions = [] if altered[1] in made else BETWEEN_ACTIONS.split(altered[2])
        return [told for action in actions for told in _told(action)]
    if unique is not None and unique[1] not in made:
        return [f"{statement}: the build before may write what it refuses"]
    return _told(statement)


def _told(action: str) -> list[str]:
    return [f"{action}: {why}" for taken, why in TAKEN.items() if re.match(taken, action)][:1]


def _statements(sql: str) -> Iterator[str]:
    """Yield the statements in small letters, without comments, texts and bodies of functions."""
    for statement in ASIDE.sub(" '' ", sql).split(";"):
        if words := [word for word in statement.split() if word != "''"]:
            yield " ".join(words).lower()
