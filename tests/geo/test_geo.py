"""What geo offers to those who import it."""

import geo
import geo.city

PUBLIC = {
    *("Box", "Point"),
    *("Datum", "from_wgs84", "point_from_wgs84", "point_to_wgs84", "to_wgs84"),
    *("metres", "metres_many"),
    *("MOVES", "EtaModel", "Moves", "Quality", "Reach", "StraightLine"),
    *("Jurisdiction", "JurisdictionIndex", "Level", "is_path", "parent", "parse_path", "within"),
    *("read_geojson", "to_geojson", "BadFeatureError", "BadGeoJsonError", "BadPathError"),
}
PUBLIC_CITY = {
    *("UNITS", "Bridge", "City", "CityUnit", "IncidentPlace", "River", "build"),
    "BadCityError",
}


def test_the_public_names_are_these() -> None:
    """A change of them is meant, and each of them is there."""
    assert set(geo.__all__) == PUBLIC
    assert set(geo.city.__all__) == PUBLIC_CITY
    assert all(hasattr(geo, name) for name in PUBLIC)
    assert all(hasattr(geo.city, name) for name in PUBLIC_CITY)


def test_errors_are_value_errors() -> None:
    """Whoever uses geo alone needs to know no tree of ours."""
    errors = (geo.BadFeatureError, geo.BadGeoJsonError, geo.BadPathError, geo.city.BadCityError)
    assert all(issubclass(error, ValueError) for error in errors)
