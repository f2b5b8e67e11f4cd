"""Keys: made once, shown once, revoked for good."""

from hashlib import sha256

import pytest

from tests.dispatch.cli.conftest import Command, Query

pytestmark = pytest.mark.postgres

CREATE = ("keys", "create", "--name", "110 台", "--role", "api_feed", "--jurisdiction", "gz")


def test_a_key_is_shown_once_and_kept_as_its_hash(mapped: Command, query: Query) -> None:
    """Only the token is on standard output, so that it can go into a file."""
    made = mapped(*CREATE)
    token = made.out.strip()
    assert made.code == 0
    assert token.startswith("kk_")
    assert "not shown again" in made.err
    (row,) = query("select * from api_key")
    assert row["hash"] == sha256(token.encode()).digest()
    assert (row["name"], row["role"], row["juris"]) == ("110 台", "api_feed", "gz")
    assert token not in str(row)


def test_a_key_for_ground_nobody_knows_yet_is_noted(kapok: Command) -> None:
    """Keys may be made before the map is imported."""
    made = kapok(*CREATE)
    assert made.code == 0
    assert "there is no jurisdiction gz yet" in made.err


def test_keys_are_listed_oldest_first_without_their_tokens(mapped: Command) -> None:
    """With what they may do, where, since when, and whether still."""
    tokens = [mapped(*CREATE).out.strip() for _ in range(2)]
    head, *rows = [line.split("\t") for line in mapped("keys", "list").out.splitlines()]
    assert head == ["id", "name", "role", "jurisdiction", "created", "revoked"]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert [row[1:4] + row[5:] for row in rows] == [["110 台", "api_feed", "gz", "-"]] * 2
    assert not [token for token in tokens if token in str(rows)]


def test_a_revoked_key_stays_in_the_list_with_its_moment(mapped: Command) -> None:
    """Who had access when is a question for later."""
    mapped(*CREATE)
    row = mapped("keys", "list").out.splitlines()[1].split("\t")
    assert mapped("keys", "revoke", row[0]).out == f"revoked {row[0]}\n"
    assert mapped("keys", "list").out.splitlines()[1].split("\t")[5] != "-"


def test_a_key_is_revoked_only_once(mapped: Command) -> None:
    """A key that is not in force is told, as one that never was."""
    mapped(*CREATE)
    key = mapped("keys", "list").out.splitlines()[1].split("\t")[0]
    assert [mapped("keys", "revoke", key).code for _ in range(2)] == [0, 1]
    again = mapped("keys", "revoke", "nobody")
    assert (again.code, again.err) == (1, "Error: no key 'nobody' is in force\n")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--role", "emperor"),
        ("--jurisdiction", "GZ"),
        ("--jurisdiction", "gz..th"),
        ("--name", "  "),
        ("--name", "a\x07"),
        ("--name", "x" * 121),
    ],
)
def test_a_key_that_makes_no_sense_is_a_wrong_command_line(
    kapok: Command, query: Query, option: str, value: str
) -> None:
    """Nothing is made."""
    assert kapok(*CREATE, option, value).code == 2
    assert query("select * from api_key") == []
