"""Who may do what, and where."""

from hashlib import sha256

import pytest

from dispatch.auth import RIGHTS, Grant, Keyring, Right, Role, rights, token_hash
from dispatch.core.errors import Forbidden, NotFound, Unauthenticated
from schemas.base import KeyId


def grant(role: Role = Role.DISPATCHER, juris: str = "gz.hp") -> Grant:
    """Return the grant of a key."""
    return Grant(key_id=KeyId("k1"), role=role, juris=juris)


def test_every_role_holds_something() -> None:
    """And no role that is not in the table exists."""
    assert set(RIGHTS) == set(Role)
    assert all(RIGHTS.values())


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("right", list(Right))
def test_a_role_may_do_what_it_holds(role: Role, right: Right) -> None:
    """Anything else is refused by name."""
    held = rights(grant(role))
    if right in held:
        grant(role).require(right)
        assert right in RIGHTS[role]
    else:
        with pytest.raises(Forbidden, match=f"{role} may not {right}"):
            grant(role).require(right)


def test_a_feed_cannot_order_units_about() -> None:
    """It reports, sees, calls off and closes."""
    held = rights(grant(Role.API_FEED))
    assert {Right.REPORT, Right.SEE_INCIDENTS, Right.CANCEL, Right.CLOSE} <= held
    assert not held & {Right.OPEN, Right.CHANGE_INCIDENTS, Right.CHANGE_UNITS}


@pytest.mark.parametrize("juris", ["gz.hp", "gz.hp.xg", "gz.hp.xg.c012.g0345"])
def test_a_scope_holds_what_lies_under_it(juris: str) -> None:
    """Itself too."""
    scoped = grant()
    scoped.require(Right.SEE_UNITS, juris)
    assert scoped.juris == "gz.hp"


@pytest.mark.parametrize("juris", ["gz", "gz.hpx", "gz.th", "hp"])
def test_what_lies_outside_the_scope_does_not_exist(juris: str) -> None:
    """A scope ends at a label; what one may not do is told before what one may not see."""
    with pytest.raises(NotFound):
        grant().require(Right.SEE_UNITS, juris)
    with pytest.raises(Forbidden):
        grant().require(Right.CHANGE_UNITS, juris)


def test_a_token_is_kept_by_its_hash() -> None:
    """SHA-256 of its text."""
    assert token_hash("kk_一") == sha256("kk_一".encode()).digest()


def test_a_key_opens_what_it_was_given_for() -> None:
    """Any other token is not known."""
    keyring = Keyring()
    keyring.replace([(token_hash("kk_a"), grant())])
    assert keyring.authenticate("kk_a") == grant()
    with pytest.raises(Unauthenticated):
        keyring.authenticate("kk_b")


def test_a_key_that_is_not_in_force_opens_nothing() -> None:
    """From the moment the store was read."""
    keyring = Keyring()
    keyring.replace([(token_hash("kk_a"), grant())])
    keyring.replace([(token_hash("kk_b"), grant())])
    with pytest.raises(Unauthenticated):
        keyring.authenticate("kk_a")


def test_a_feed_may_amend_what_it_keeps_the_master_record_of() -> None:
    """Correct and supplement; what becomes of the units is not its business."""
    held = rights(grant(Role.API_FEED))
    assert Right.AMEND in held
    assert held.isdisjoint({Right.CHANGE_INCIDENTS, Right.ORDER, Right.OPEN})
