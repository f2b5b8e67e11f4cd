"""The tree of refusals, as the module draws it, and the codes clients rely on."""

import pytest

from dispatch.core import errors
from dispatch.core.errors import (
    Cancelled,
    Conflict,
    ConsentRequired,
    Expired,
    Forbidden,
    IdReuse,
    Invalid,
    NoRoom,
    NotFound,
    NotOnDuty,
    Overloaded,
    RateLimited,
    Refusal,
    Stale,
    Taken,
    Temporary,
    Unauthenticated,
    Unavailable,
    Withdrawn,
)
from schemas.wire import TEMPORARY, ErrorCode

TREE: list[tuple[type[Refusal], type[Refusal], ErrorCode]] = [
    (NotFound, Refusal, ErrorCode.NOT_FOUND),
    (Forbidden, Refusal, ErrorCode.FORBIDDEN),
    (Unauthenticated, Refusal, ErrorCode.UNAUTHENTICATED),
    (Invalid, Refusal, ErrorCode.INVALID),
    (NotOnDuty, Refusal, ErrorCode.NOT_ON_DUTY),
    (ConsentRequired, Refusal, ErrorCode.CONSENT_REQUIRED),
    (Conflict, Refusal, ErrorCode.CONFLICT),
    (Taken, Conflict, ErrorCode.TAKEN),
    (Expired, Conflict, ErrorCode.EXPIRED),
    (Withdrawn, Conflict, ErrorCode.WITHDRAWN),
    (Cancelled, Conflict, ErrorCode.CANCELLED),
    (Stale, Conflict, ErrorCode.STALE),
    (IdReuse, Refusal, ErrorCode.ID_REUSE),
    (Temporary, Refusal, ErrorCode.INTERNAL),
    (Overloaded, Temporary, ErrorCode.OVERLOADED),
    (RateLimited, Temporary, ErrorCode.RATE_LIMITED),
    (Unavailable, Temporary, ErrorCode.OVERLOADED),
    (NoRoom, Temporary, ErrorCode.OVERLOADED),
]


@pytest.mark.parametrize(("error", "parent", "code"), TREE)
def test_each_refusal_has_its_place_and_its_code(
    error: type[Refusal], parent: type[Refusal], code: ErrorCode
) -> None:
    """The code is the contract; whoever handles the parent handles the child."""
    assert error.__base__ is parent
    assert error("no").code is code


def test_the_tree_is_whole_and_drawn_in_the_docstring() -> None:
    """A new refusal is put in the tree, in the drawing and in this list."""
    found = {e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Refusal)}
    assert found == {error for error, _, _ in TREE} | {Refusal}
    assert all(error.__name__ in (errors.__doc__ or "") for error in found)


def test_a_refusal_keeps_its_facts_and_reads_as_a_sentence() -> None:
    """The field and the state stand beside the words."""
    refusal = Conflict("accept is not possible from taken", path="oid", state="taken")
    assert str(refusal) == refusal.detail == "accept is not possible from taken"
    assert (refusal.path, refusal.state) == ("oid", "taken")


def test_a_refusal_needs_no_more_than_its_words() -> None:
    """Path and state are for those that have one."""
    assert (NotFound("no such offer").path, NotFound("no such offer").state) == (None, None)


@pytest.mark.parametrize(("error", "parent", "code"), TREE)
def test_only_temporary_refusals_are_worth_the_same_id_again(
    error: type[Refusal], parent: type[Refusal], code: ErrorCode
) -> None:
    """The wire's list of temporary codes and the tree agree."""
    assert issubclass(error, Temporary) == (code in TEMPORARY)
    if issubclass(error, Temporary):
        assert error.retry_ms > 0
    assert issubclass(error, parent)
