"""Who is in a unit after an import: known members keep their ids, missing ones get seats."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Final

from msgspec.structs import replace

from dispatch.cli.units_file import GivenMember, GivenUnit
from schemas.base import MemberId, UnitId
from schemas.unit import Member

SEAT: Final = "队员"
LEAST: Final = 1
"""A unit that nobody can clock in for could never be asked."""


def roster(
    unit_id: UnitId,
    given: GivenUnit,
    known: Sequence[Member],
    new_id: Callable[[], str],
) -> list[Member]:
    """Return the members a file gives a unit, the first of them its leader.

    Known ones are found by name and number, then by a name that only one of them has: that is a
    new number. Known members whom the file does not name stay, but lead no longer.
    """
    wanted = [*given.members, *_seats(given)]
    ids = _ids(wanted, known)
    named = [
        Member(
            id=ids.get(each) or MemberId(new_id()),
            unit_id=unit_id,
            name=each.name,
            tel=each.tel,
            leader=place == 0,
        )
        for place, each in enumerate(wanted)
    ]
    led = [each for each in known if each.leader and each.id not in ids.values()]
    return named + [replace(each, leader=False) for each in led]


def by_unit(members: Iterable[Member]) -> dict[UnitId, list[Member]]:
    """Return members by their unit."""
    units: dict[UnitId, list[Member]] = {}
    for member in members:
        units.setdefault(member.unit_id, []).append(member)
    return units


def _seats(given: GivenUnit) -> Iterator[GivenMember]:
    """Return nameless members until the crew is full."""
    missing = max(given.crew, LEAST) - len(given.members)
    taken = {member.name for member in given.members}
    names = (name for number in count(1) if (name := f"{SEAT} {number}") not in taken)
    return (GivenMember(name, "") for name in islice(names, max(missing, 0)))


def _ids(wanted: Sequence[GivenMember], known: Sequence[Member]) -> dict[GivenMember, MemberId]:
    same = {GivenMember(member.name, member.tel): member.id for member in known}
    ids = {each: same[each] for each in wanted if each in same}
    left = [member for member in known if member.id not in ids.values()]
    new = [each for each in wanted if each not in ids]
    for each in new:
        namesakes = [member for member in left if member.name == each.name]
        if len(namesakes) == 1 and sum(other.name == each.name for other in new) == 1:
            ids[each] = namesakes[0].id
    return ids
