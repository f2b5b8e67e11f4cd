"""What is right and wrong about a site: its roads, its ground, its units, its keys, its pushes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from dispatch.auth import Role
from dispatch.cli.verdict import Line, fail, ok, warn
from dispatch.store.registry import KeyRow
from dispatch.store.server_facts import Registered
from geo.point import Box
from geo.roads.graph import About

OLD_AFTER: Final = timedelta(days=365)
OVERLAP_DEG: Final = 0.05
"""Roads may end this far, about 5 km, inside the border: nobody drives on the last hill."""
DISPATCHERS: Final = frozenset({Role.DISPATCHER, Role.COMMANDER})

NO_ROADS: Final = warn(
    "roads",
    "none: units are ranked by straight line, which is wrong at every river",
    "import them: `kapok import roads`",
)


def on_roads(about: About, name: str, now: datetime, *, verified: bool) -> Line:
    """Judge the age of a road file that could be loaded."""
    checked = "every byte checked" if verified else "bytes not checked, see --checksum"
    try:
        taken = datetime.fromisoformat(about.osm_timestamp)
        old = now - taken > OLD_AFTER
    except (ValueError, TypeError):  # a synthetic city has none; nor has one without a zone
        return warn("roads", f"{name}, of no known date; {checked}", "import a dated extract")
    found = f"{name}, of {taken.date()}; {checked}"
    if old:
        return warn("roads", found, "import a newer extract: streets have changed since")
    return ok("roads", found)


def broken_roads(reason: str) -> Line:
    """Return the line of roads that keep the service from starting."""
    return fail("roads", reason, "import them again, or name another file by KAPOK_ROADS")


def on_cover(roads: Box, ground: Box) -> Line:
    """Judge whether roads are where the jurisdictions are."""
    missing = [
        f"{degrees:.2f}° in the {side}"
        for side, degrees in (
            ("west", roads.west - ground.west),
            ("south", roads.south - ground.south),
            ("east", ground.east - roads.east),
            ("north", ground.north - roads.north),
        )
        if degrees > OVERLAP_DEG
    ]
    if not missing:
        return ok("roads' reach", "all jurisdictions lie in it")
    found = f"jurisdictions go beyond it by {', '.join(missing)}"
    return warn("roads' reach", found, "import an extract, or a --bbox, that holds all of them")


def on_register(jurisdictions: int, registered: Registered) -> list[Line]:
    """Judge whether there is ground to answer for, and anybody to ask."""
    return [_on_ground(jurisdictions), _on_units(registered)]


def _on_ground(jurisdictions: int) -> Line:
    if jurisdictions:
        return ok("jurisdictions", f"{jurisdictions:,}")
    do = "import them: `kapok import jurisdictions`"
    return fail("jurisdictions", "none: no place belongs to anybody", do)


def _on_units(registered: Registered) -> Line:
    found = f"{registered.units:,} with {registered.phones:,} phones"
    if not registered.units:
        return fail("units", "none: nobody can be asked", "import them: `kapok import units`")
    if not registered.phones:
        return warn("units", found, "issue phones: `kapok devices`")
    return ok("units", found)


def on_keys(keys: Sequence[KeyRow], paths: frozenset[str]) -> Line:
    """Judge whether somebody can open an incident, and somebody dispatch it."""
    valid = [key for key in keys if key.revoked_at is None]
    found = f"{len(valid)} in force, {len(keys) - len(valid)} revoked"
    do = "make one: `kapok keys create --role dispatcher …`"
    if not valid:
        return fail("keys", found if keys else "none: nobody can open an incident", do)
    if not any(key.role in DISPATCHERS for key in valid):
        return warn("keys", f"{found}, none of a dispatcher", do)
    if nowhere := sorted({key.juris for key in valid} - paths):
        told = f"{found}, {', '.join(nowhere)} not being registered"
        return warn("keys", told, "import that jurisdiction, or revoke the key")
    return ok("keys", found)


def on_push(url: str | None) -> Line:
    """Judge the webhook; settings that cannot be are told before."""
    if url:
        return ok("push webhook", "its settings are valid; whether it answers is not asked")
    return warn("push webhook", "none: phones that sleep are not woken", "set KAPOK_PUSH_URL")


def bad_setting(message: str) -> Line:
    """Return the line of a variable that keeps the service from starting."""
    return fail("settings", message, "mend the variable: the service does not start with it")
