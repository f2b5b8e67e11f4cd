"""What is registered: changes of many rows, counted, repeatable, all or nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio
import shapely
from msgspec.structs import replace

from dispatch.ports import StoreAway
from dispatch.store.connection import StoreRefused
from dispatch.store.registry import BATCH, Changes, IssuedDevice, Registry, registry
from geo.eta import Moves
from geo.jurisdiction import Jurisdiction
from schemas.base import DeviceId, KeyId, MemberId, UnitId
from schemas.unit import Capability, Member, Unit, UnitKind

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]

CITY = Jurisdiction("gz", "广州市", shapely.box(113, 22, 114, 24))
HOLED = Jurisdiction(
    "gz.th",
    "天河区",
    shapely.MultiPolygon(
        [
            shapely.Polygon(
                [(113.1, 22.1), (113.2, 22.1), (113.2, 22.2), (113.1, 22.1)],
                [[(113.15, 22.12), (113.17, 22.12), (113.17, 22.14), (113.15, 22.12)]],
            ),
            shapely.box(113.3, 22.3, 113.4, 22.4),
        ]
    ),
)
UNIT = Unit(
    id=UnitId("u1"),
    code="U1",
    name="石牌花园",
    kind=UnitKind.RESIDENTIAL,
    juris="gz.th",
    lon=113.123_456_789_012_3,
    lat=22.1,
    moves=Moves.EBIKE,
    capabilities=(Capability.AED, Capability.ROPE),
)
LI = Member(id=MemberId("m1"), unit_id=UNIT.id, name="李四", tel="138", leader=True)
WANG = Member(id=MemberId("m2"), unit_id=UNIT.id, name="王五")


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Registry]:
    """A registry of an empty database."""
    async with registry(database) as found:
        yield found


@pytest_asyncio.fixture
async def staffed(opened: Registry) -> Registry:
    """With a unit and its two members."""
    await opened.put_units([UNIT])
    await opened.put_members([LI, WANG])
    return opened


@pytest_asyncio.fixture
async def other(database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Another connection, which sees only what was committed."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


def phone(number: str, member: Member, token: bytes) -> IssuedDevice:
    """A phone of that member; the token stands for its hash."""
    return IssuedDevice(
        id=DeviceId(number),
        unit_id=member.unit_id,
        member_id=member.id,
        token_hash=token.ljust(32),
    )


async def test_jurisdictions_come_back_as_they_went(opened: Registry) -> None:
    """By path, holes and islands to the last digit."""
    assert await opened.put_jurisdictions([HOLED, CITY]) == 2
    assert await opened.jurisdictions() == [CITY, HOLED]


async def test_only_what_changes_is_touched(opened: Registry) -> None:
    """The count says so."""
    await opened.put_jurisdictions([CITY, HOLED])
    assert await opened.put_jurisdictions([CITY, HOLED]) == 0
    renamed = Jurisdiction("gz", "穗", CITY.polygon)
    assert await opened.put_jurisdictions([renamed, HOLED]) == 1
    assert (await opened.jurisdictions())[0].name == "穗"


async def test_units_are_known_by_their_code(opened: Registry, other: asyncpg.Connection) -> None:
    """A unit of a known code keeps its id and what the service knows about it."""
    assert await opened.put_units([UNIT]) == Changes(added=1)
    await other.execute("update unit set offers = 5, accepts = 3, disabled = true")
    again = replace(UNIT, id=UnitId("other"), name="新名", capabilities=())
    assert await opened.put_units([again]) == Changes(changed=1)
    assert await opened.unit_ids() == {"U1": "u1"}
    row = await other.fetchrow("select * from unit")
    assert row is not None
    assert (row["name"], row["capabilities"], row["lon"]) == ("新名", [], UNIT.lon)
    assert (row["offers"], row["accepts"], row["disabled"]) == (5, 3, True)


async def test_the_same_unit_again_is_no_change(opened: Registry) -> None:
    """Coordinates too are the same to the last digit."""
    await opened.put_units([UNIT])
    assert await opened.put_units([UNIT]) == Changes()


async def test_more_rows_than_a_batch_all_arrive(opened: Registry) -> None:
    """And the counts are of all batches together."""
    many = [replace(UNIT, id=UnitId(f"u{n}"), code=f"U{n}") for n in range(BATCH + 1)]
    assert await opened.put_units(many) == Changes(added=BATCH + 1)
    assert len(await opened.unit_ids()) == BATCH + 1


async def test_members_are_known_by_their_id(staffed: Registry, other: asyncpg.Connection) -> None:
    """A second import leaves their duty alone."""
    await staffed.set_duties([LI.id])
    assert await staffed.put_members([LI, WANG]) == 0
    assert await staffed.put_members([replace(LI, tel="139"), WANG]) == 1
    found = await staffed.members()
    assert sorted(found, key=lambda each: each.id) == [replace(LI, tel="139"), WANG]
    assert await other.fetchval("select duty from member where id = 'm1'") == "on"


async def test_a_member_of_no_unit_is_refused(database: str) -> None:
    """Nothing of the batch is kept."""
    with pytest.raises(StoreRefused, match="foreign key"):
        async with registry(database) as opened:
            await opened.put_members([replace(LI, unit_id=UnitId("nobody"))])


async def test_exactly_those_named_are_on_duty(
    staffed: Registry, other: asyncpg.Connection
) -> None:
    """All others are off."""
    for on in ([LI.id, WANG.id], [WANG.id], []):
        await staffed.set_duties(on)
        rows = await other.fetch("select id from member where duty = 'on' order by id")
        assert [row["id"] for row in rows] == on


async def test_a_new_token_replaces_the_members_old_one(
    staffed: Registry, other: asyncpg.Connection
) -> None:
    """The device keeps its id, and is in force again if it was revoked."""
    assert await staffed.put_devices([phone("d1", LI, b"a"), phone("d2", WANG, b"b")]) == 2
    await other.execute("update device set revoked_at = now(), head = 4, acked = 4")
    assert await staffed.device_ids() == {}
    assert await staffed.put_devices([phone("d3", LI, b"c")]) == 1
    assert await staffed.device_ids() == {LI.id: "d1"}
    row = await other.fetchrow("select * from device where id = 'd1'")
    assert row is not None
    assert (row["token_hash"], row["head"]) == (b"c".ljust(32), 4)


async def test_keys_are_listed_and_revoked_once(opened: Registry) -> None:
    """A revoked key stays in the list."""
    await opened.put_key(KeyId("k1"), "110", "api_feed", "gz", b"1".ljust(32))
    (key,) = await opened.keys()
    assert (key.id, key.name, key.role, key.juris, key.revoked_at) == (
        "k1",
        "110",
        "api_feed",
        "gz",
        None,
    )
    assert key.created_at.tzinfo is not None
    assert [await opened.revoke_key(KeyId("k1")) for _ in range(2)] == [True, False]
    (key,) = await opened.keys()
    assert key.revoked_at is not None
    assert key.revoked_at <= datetime(9999, 1, 1, tzinfo=UTC)
    assert await opened.revoke_key(KeyId("nobody")) is False


async def put_and_fail(opened: Registry) -> None:
    """A transaction in which something goes wrong after the first statement."""
    async with opened.transaction():
        await opened.put_units([UNIT])
        raise ZeroDivisionError


async def test_a_transaction_happens_whole_or_not_at_all(
    opened: Registry, other: asyncpg.Connection
) -> None:
    """Others see nothing of it before its end."""
    with pytest.raises(ZeroDivisionError):
        await put_and_fail(opened)
    assert await opened.unit_ids() == {}
    async with opened.transaction():
        await opened.put_units([UNIT])
        assert await other.fetchval("select count(*) from unit") == 0
    assert await other.fetchval("select count(*) from unit") == 1


async def test_the_planner_hears_of_many_rows(staffed: Registry, other: asyncpg.Connection) -> None:
    """Before, it takes the tables for empty or unknown."""
    await staffed.analyze()
    assert await other.fetchval("select reltuples from pg_class where relname = 'member'") == 2


async def test_a_registry_nobody_answers_for_is_away() -> None:
    """The same sign as everywhere in the store."""
    with pytest.raises(StoreAway):
        async with registry("postgresql://kapok@127.0.0.1:1/kapok"):
            pass
