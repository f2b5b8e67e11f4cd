"""Members over several imports: ids stay, seats fill up, nobody is doubled."""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.cli.rosters import by_unit, roster
from dispatch.cli.units_file import GivenMember, GivenUnit
from geo.eta import Moves
from schemas.base import MemberId, UnitId
from schemas.unit import Member, UnitKind

UNIT = UnitId("u1")
LI, WANG = GivenMember("李四", "138"), GivenMember("王五", "139")


def given_unit(*members: GivenMember, crew: int = 0) -> GivenUnit:
    """A unit of which only its people matter."""
    return GivenUnit(
        where="line 2",
        code="U1",
        name="a",
        kind=UnitKind.MALL,
        jurisdiction="gz",
        place=None,
        moves=Moves.FOOT,
        capabilities=(),
        crew=crew,
        members=members,
    )


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Ids m1, m2, and so on."""
    numbers = count(1)
    return lambda: f"m{next(numbers)}"


def names(members: list[Member]) -> list[str]:
    """Names in order."""
    return [member.name for member in members]


def test_the_first_member_leads(new_id: Callable[[], str]) -> None:
    """One of them has to."""
    made = roster(UNIT, given_unit(LI, WANG), [], new_id)
    assert names(made) == ["李四", "王五"]
    assert [member.leader for member in made] == [True, False]
    assert [member.tel for member in made] == ["138", "139"]


@pytest.mark.parametrize(
    ("crew", "members", "expected"),
    [
        (0, (), ["队员 1"]),
        (3, (), ["队员 1", "队员 2", "队员 3"]),
        (3, (LI,), ["李四", "队员 1", "队员 2"]),
        (1, (LI, WANG), ["李四", "王五"]),
        (3, (GivenMember("队员 1", "138"),), ["队员 1", "队员 2", "队员 3"]),
    ],
)
def test_seats_fill_up_the_crew(
    new_id: Callable[[], str], crew: int, members: tuple[GivenMember, ...], expected: list[str]
) -> None:
    """Somebody can always clock in; a name is not given twice."""
    assert names(roster(UNIT, given_unit(*members, crew=crew), [], new_id)) == expected


PEOPLE = st.lists(
    st.builds(GivenMember, st.sampled_from("甲乙丙丁"), st.sampled_from(["", "1", "2"])),
    unique=True,
    max_size=6,
)


@given(PEOPLE, st.integers(0, 8))
def test_a_second_import_of_the_same_changes_nothing(people: list[GivenMember], crew: int) -> None:
    """Whatever the names and numbers are."""
    numbers = count(1)
    unit = given_unit(*people, crew=crew)
    first = roster(UNIT, unit, [], lambda: f"m{next(numbers)}")
    assert roster(UNIT, unit, first[::-1], lambda: "new") == first


@given(PEOPLE, PEOPLE)
def test_nobody_gets_an_id_of_another(before: list[GivenMember], after: list[GivenMember]) -> None:
    """Ids are one a member, over any change of the file."""
    numbers = count(1)

    def new_id() -> str:
        return f"m{next(numbers)}"

    first = roster(UNIT, given_unit(*before), [], new_id)
    second = roster(UNIT, given_unit(*after), first, new_id)
    ids = [member.id for member in second]
    assert len(set(ids)) == len(ids)
    kept = {GivenMember(member.name, member.tel): member.id for member in first}
    for member in second[: len(after)]:
        assert kept.get(GivenMember(member.name, member.tel), member.id) == member.id
    assert sum(member.leader for member in second) == 1


def test_a_new_number_is_no_new_member(new_id: Callable[[], str]) -> None:
    """The only one of that name in the unit has changed it."""
    (before,) = roster(UNIT, given_unit(LI), [], new_id)
    (after,) = roster(UNIT, given_unit(GivenMember("李四", "137")), [before], new_id)
    assert (after.id, after.tel) == (before.id, "137")


def test_of_two_namesakes_neither_is_guessed(new_id: Callable[[], str]) -> None:
    """A third number is a third person."""
    twins = roster(UNIT, given_unit(GivenMember("甲", "1"), GivenMember("甲", "2")), [], new_id)
    first, *_ = roster(UNIT, given_unit(GivenMember("甲", "3")), twins, new_id)
    assert first.id not in {member.id for member in twins}


def test_who_is_not_named_any_more_leads_no_more(new_id: Callable[[], str]) -> None:
    """A unit has one leader."""
    before = roster(UNIT, given_unit(LI), [], new_id)
    after = roster(UNIT, given_unit(WANG), before, new_id)
    assert [(member.name, member.leader) for member in after] == [("王五", True), ("李四", False)]


def test_members_are_found_by_their_unit() -> None:
    """One look for all units of a file."""
    people = [Member(id=MemberId(n), unit_id=UnitId(n[0]), name=n) for n in ("a1", "b1", "a2")]
    assert {unit: names(found) for unit, found in by_unit(people).items()} == {
        "a": ["a1", "a2"],
        "b": ["b1"],
    }
