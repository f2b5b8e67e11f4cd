"""Where units of a file belong: moved to WGS-84, inside the city, under an existing path."""

from collections.abc import Sequence

import pytest

from dispatch.cli.unit_places import OUTSIDE, PlacedUnit, Places
from dispatch.cli.units_file import BadField, GivenUnit
from geo.datum import Datum, point_from_wgs84
from geo.distance import metres
from geo.eta import Moves
from geo.jurisdiction import Jurisdiction, JurisdictionIndex
from geo.point import Point
from schemas.unit import UnitKind
from tests.dispatch.cli.conftest import box

SP = Point(113.25, 23.05)
HP = Point(113.35, 23.15)
FS = Point(113.1, 23.1)
SEA = Point(114.0, 21.0)


def unit(place: Point | None, jurisdiction: str | None = None) -> GivenUnit:
    """A unit of which only the place matters."""
    return GivenUnit(
        where="line 2",
        code="U1",
        name="a",
        kind=UnitKind.MALL,
        jurisdiction=jurisdiction,
        place=place,
        moves=Moves.FOOT,
        capabilities=(),
        crew=0,
        members=(),
    )


@pytest.fixture
def places(country: Sequence[Jurisdiction]) -> Places:
    """The small country."""
    return Places(JurisdictionIndex(country))


def placed(places: Places, given: GivenUnit, datum: Datum = Datum.WGS84) -> PlacedUnit:
    """The one unit, which is good."""
    good, bad = places.put([given], datum)
    assert bad == []
    return good[0]


def refused(places: Places, given: GivenUnit) -> BadField:
    """What is bad about the one unit."""
    good, bad = places.put([given], Datum.WGS84)
    assert good == []
    return bad[0]


def test_a_unit_belongs_to_the_deepest_jurisdiction_of_its_place(places: Places) -> None:
    """The street where there is one, else the district."""
    assert placed(places, unit(SP)).juris == "gz.th.sp"
    assert placed(places, unit(HP)).juris == "gz.hp"


@pytest.mark.parametrize("datum", list(Datum))
def test_homes_are_moved_to_wgs84(places: Places, datum: Datum) -> None:
    """Half a kilometre would put somebody under another street."""
    home = placed(places, unit(point_from_wgs84(SP, datum)), datum).home
    assert metres(home, SP) < 0.01


def test_a_given_jurisdiction_is_kept_if_it_is_of_the_same_city(places: Places) -> None:
    """Who commands a unit is not always who owns the ground it stands on."""
    assert placed(places, unit(SP, "gz.hp")).juris == "gz.hp"


def test_a_jurisdiction_may_be_given_by_its_name(places: Places) -> None:
    """Files of offices hold names."""
    assert placed(places, unit(SP, "黄埔区")).juris == "gz.hp"


def test_without_a_place_the_unit_stands_inside_its_jurisdiction(places: Places) -> None:
    """Well inside, not on the border."""
    found = placed(places, unit(None, "gz.th.sp"))
    assert found.juris == "gz.th.sp"
    assert placed(places, unit(found.home)).juris == "gz.th.sp"


@pytest.mark.parametrize("given", [None, "gz.th"])
def test_a_place_outside_all_jurisdictions_is_bad(places: Places, given: str | None) -> None:
    """Whatever path comes with it."""
    assert refused(places, unit(SEA, given)) == BadField("line 2", "lon,lat", OUTSIDE)


@pytest.mark.parametrize("place", [SP, None])
def test_an_unknown_jurisdiction_is_bad(places: Places, place: Point | None) -> None:
    """With a place or without."""
    bad = refused(places, unit(place, "gz.nowhere"))
    assert bad.field == "jurisdiction"
    assert "no jurisdiction 'gz.nowhere'" in bad.reason


def test_a_jurisdiction_of_another_city_is_bad(places: Places) -> None:
    """One of the two must be wrong."""
    bad = refused(places, unit(FS, "gz.th"))
    assert bad.field == "jurisdiction"
    assert bad.reason == "gz.th is in another city than the place, which is in fs"


def test_a_name_that_two_have_stands_for_neither() -> None:
    """There is a 中山路 everywhere."""
    twice = Places(JurisdictionIndex([box("a", "同名", 0, 0, 1, 1), box("b", "同名", 2, 0, 3, 1)]))
    assert refused(twice, unit(None, "同名")).field == "jurisdiction"


def test_no_units_are_no_trouble(places: Places) -> None:
    """A file may hold none that is good."""
    assert places.put([], Datum.BD09) == ([], [])
