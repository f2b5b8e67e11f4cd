"""Who holds which phone, in memory."""

from msgspec.structs import replace

from dispatch.live.roster import Roster
from dispatch.ports import Identity
from schemas.base import DeviceId, MemberId, UnitId
from schemas.unit import Duty, Member

ONE, TWO = UnitId("u1"), UnitId("u2")


def identity(number: int, head: int = 0) -> Identity:
    """Return phone n of unit 1."""
    return Identity(
        device_id=DeviceId(f"d{number}"),
        unit_id=ONE,
        member_id=MemberId(f"m{number}"),
        juris="gz",
        head=head,
    )


def member(number: int, unit: UnitId = ONE, duty: Duty = Duty.ON) -> Member:
    """Return member n of a unit."""
    return Member(id=MemberId(f"m{number}"), unit_id=unit, name=f"队员 {number}", duty=duty)


def roster() -> Roster:
    """Return a roster of two phones and three members."""
    loaded = Roster()
    loaded.load(
        [(b"1", identity(1, 7)), (b"2", identity(2))], [member(1), member(2), member(3, TWO)]
    )
    return loaded


def test_a_phone_is_found_by_the_hash_of_its_token() -> None:
    """Any other token is not known to memory."""
    assert roster().find(b"1") == identity(1, 7)
    assert roster().find(b"3") is None


def test_a_phone_enrolled_later_is_added() -> None:
    """It is found from then on, with the head it came with."""
    known = roster()
    known.add(b"3", identity(3, 5))
    assert known.find(b"3") == identity(3, 5)
    assert known.head(DeviceId("d3")) == 5


def test_a_new_token_does_not_set_a_stream_back() -> None:
    """A phone that is added again keeps the head memory has."""
    known = roster()
    known.add(b"9", identity(1, 2))
    assert known.head(DeviceId("d1")) == 7


def test_who_has_not_agreed_to_be_located_is_known() -> None:
    """Of all crews."""
    known = roster()
    assert known.refusing() == []
    known.put([replace(member(2), consent=None)])
    assert [m.id for m in known.refusing()] == ["m2"]


def test_a_stream_only_grows() -> None:
    """Heads come from the store, then from what is sealed; an older seal changes nothing."""
    known = roster()
    known.sealed(DeviceId("d1"), 9)
    known.sealed(DeviceId("d1"), 8)
    known.sealed(DeviceId("d9"), 1)
    heads = [known.head(DeviceId(d)) for d in ("d1", "d2", "d9", "d404")]
    assert heads == [9, 0, 1, 0]


def test_loading_again_keeps_the_higher_head() -> None:
    """What was read may be older than what was sealed meanwhile."""
    known = roster()
    known.sealed(DeviceId("d1"), 9)
    known.load([(b"1", identity(1, 8)), (b"2", identity(2, 4))], [])
    assert [known.head(DeviceId(d)) for d in ("d1", "d2")] == [9, 4]


def test_loading_again_names_the_phones_that_are_cut_off() -> None:
    """A token that is no more, whether the phone has a new one or none."""
    known = roster()
    gone = known.load([(b"new", identity(2))], [])
    assert gone == {"d1", "d2"}
    assert known.find(b"2") is None
    assert known.find(b"new") == identity(2)


def test_a_phone_that_fetched_a_token_is_not_cut_off() -> None:
    """Its old one is no more, but it holds another."""
    known = roster()
    known.add(b"1+", identity(1))
    assert known.load([(b"1+", identity(1)), (b"2", identity(2))], []) == set()


def test_a_phones_tokens_are_taken_as_the_store_now_has_them() -> None:
    """Those of others stay."""
    known = roster()
    known.put_tokens(DeviceId("d1"), [(b"1+", identity(1)), (b"1++", identity(1))])
    assert [known.find(token) is None for token in (b"1", b"1+", b"1++", b"2")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_crew_is_the_members_of_a_unit() -> None:
    """Of that unit alone; an unknown unit has none."""
    assert roster().crew(ONE) == [member(1), member(2)]
    assert roster().crew(UnitId("u404")) == []


def test_a_member_is_known_with_what_was_clocked() -> None:
    """A member of another unit is unknown, and an unknown one off duty."""
    known = roster()
    assert known.member(TWO, MemberId("m3")) == member(3, TWO)
    assert known.member(ONE, MemberId("m3")) is None
    assert known.duty(ONE, MemberId("m1")) is Duty.ON
    assert known.duty(ONE, MemberId("m3")) is Duty.OFF


def test_members_are_taken_as_the_store_now_has_them() -> None:
    """Changed ones and new ones; the others stay."""
    known = roster()
    known.put([member(1, duty=Duty.PAUSED), member(4, UnitId("u4"))])
    assert known.duty(ONE, MemberId("m1")) is Duty.PAUSED
    assert known.crew(UnitId("u4")) == [member(4, UnitId("u4"))]
    assert known.member(ONE, MemberId("m2")) == member(2)


def test_a_head_that_is_read_may_stand_above_what_is_known() -> None:
    """Until all is read again, by a reading that began after it came."""
    known = roster()
    known.end_reading(known.begin_reading())
    known.begin_reading()
    known.found(DeviceId("d1"), 9)
    assert (known.head(DeviceId("d1")), known.doubt(DeviceId("d1"))) == (9, 2)
    known.end_reading(2)
    assert known.doubt(DeviceId("d1")) == 2
    known.end_reading(known.begin_reading())
    assert known.doubt(DeviceId("d1")) is None


def test_a_head_that_grows_by_what_is_known_is_not_in_doubt() -> None:
    """One that leaves a seq out is: somebody else knows what that stands for."""
    known = Roster()
    known.sealed(DeviceId("d1"), 1)
    known.found(DeviceId("d1"), 1)
    assert known.doubt(DeviceId("d1")) is None
    known.sealed(DeviceId("d1"), 3)
    assert known.doubt(DeviceId("d1")) == 0


def test_heads_of_a_reading_that_is_whole_are_in_no_doubt() -> None:
    """They were read before what they stand for; none goes back by them."""
    known = roster()
    known.end_reading(known.begin_reading(), [(DeviceId("d1"), 3), (DeviceId("d2"), 5)])
    assert [known.head(DeviceId(d)) for d in ("d1", "d2")] == [7, 5]
    assert [known.doubt(DeviceId(d)) for d in ("d1", "d2")] == [None, None]


def test_heads_that_are_loaded_are_in_doubt() -> None:
    """Cases may have been read before them; a phone without mail has nothing to doubt."""
    assert [roster().doubt(DeviceId(d)) for d in ("d1", "d2")] == [0, None]
