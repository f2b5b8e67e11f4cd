"""What every store promises about notices, tried on each of them."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dispatch.core.notices import withdrawn
from dispatch.ports import OUTBOX_MOST, AlreadyAnswered
from schemas.base import DeviceId, UnitId
from schemas.notice import Notice, NoticeId, NoticeLevel
from tests.contract.town import OK, Town, frames, once
from tests.fakes import ManualClock

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]
ALL = [DeviceId(f"d{n}") for n in range(1, 7)]


def notice(clock: ManualClock, number: int = 1, **facts: Any) -> Notice:
    """Return a notice to the whole city, for an hour."""
    given: dict[str, Any] = {
        "id": NoticeId(f"019ab000-0000-7000-8000-0000000000{number:02x}"),
        "level": NoticeLevel.WARN,
        "text": "台风红色预警",
        "juris": "gz",
        "by": "key:k1",
        "at": clock.now(),
        "expires_at": clock.now() + timedelta(hours=1),
    }
    return Notice(**{**given, **facts})


async def put(town: Town, given: Notice, units: list[str] | None = None) -> None:
    """Keep a notice to be sent."""
    chosen = None if units is None else [UnitId(u) for u in units]
    await town.store.put_notice(given, chosen, once(given.id), OK)


async def post(town: Town, most: int = 500) -> list[tuple[str, int]] | None:
    """Write one batch."""
    sealed = await town.store.post_notice(most, town.clock.now())
    return None if sealed is None else [(s.device_id, s.seq) for s in sealed]


async def sent(town: Town, given: Notice, units: list[str] | None = None) -> None:
    """Send a notice to its end."""
    await put(town, given, units)
    while await post(town) is not None:
        pass


async def test_every_phone_of_the_jurisdiction_has_its_row(town: Town) -> None:
    """On duty or not: a notice sends nobody anywhere."""
    await put(town, notice(town.clock))
    assert await post(town) == [(device, 1) for device in ALL]
    assert await post(town) is None
    (frame,) = frames(await town.mail("d6"))
    assert msgspec.to_builtins(frame)["text"] == "台风红色预警"
    kept = await town.store.notice(notice(town.clock).id)
    assert kept is not None
    assert (kept.addressed, kept.delivered, kept.read, kept.sent_at) == (
        6,
        0,
        0,
        town.clock.now(),
    )


async def test_a_job_goes_on_where_it_stopped(town: Town) -> None:
    """Batch by batch in the order of the phones: nobody is left out, nobody told twice."""
    await put(town, notice(town.clock))
    batches = [await post(town, 2) for _ in range(5)]
    assert [[d for d, _ in batch or ()] for batch in batches] == [
        ["d1", "d2"],
        ["d3", "d4"],
        ["d5", "d6"],
        [],
        [],
    ]
    assert batches[3:] == [[], None]


async def test_only_units_of_the_jurisdiction_and_of_the_polygon_are_addressed(town: Town) -> None:
    """Both at once; a disabled one never."""
    unit = (await town.store.unit_rows(town.clock.now(), [UnitId("u1")]))[0].unit
    await town.register([replace(unit, juris="gz.th")])
    await sent(town, notice(town.clock, juris="gz.hp"), ["u1", "u2"])
    assert [d for d in ALL if await town.mail(d)] == ["d3", "d4"]


async def test_urgent_notices_go_first(town: Town) -> None:
    """Whatever was kept before them."""
    await put(town, notice(town.clock, 1, level=NoticeLevel.INFO))
    await put(town, notice(town.clock, 2, level=NoticeLevel.URGENT, text="海啸"))
    sealed = await town.store.post_notice(500, town.clock.now())
    assert sealed is not None
    assert {msgspec.to_builtins(s.mail.frame)["text"] for s in sealed} == {"海啸"}


async def test_one_that_expired_before_it_was_sent_is_sent_to_nobody(town: Town) -> None:
    """Yesterday's warning warns nobody."""
    await put(town, notice(town.clock))
    town.clock.advance(3601)
    assert (await post(town), await post(town)) == ([], None)


async def test_a_notice_is_kept_once(town: Town) -> None:
    """Its id was answered."""
    await put(town, notice(town.clock))
    with pytest.raises(AlreadyAnswered):
        await put(town, notice(town.clock))


async def test_delivered_and_read_are_facts_of_each_phone(town: Town) -> None:
    """An acknowledgement delivers; reading is a command, answered once."""
    given = notice(town.clock)
    await sent(town, given)
    await town.told("d1", 1)
    await town.told("d2", 1)
    now = town.clock.now()
    assert await town.store.read_notice(given.id, DeviceId("d1"), once("r1"), OK, now)
    assert await town.store.read_notice(given.id, DeviceId("d3"), once("r2"), OK, now)
    assert await town.store.read_notice(given.id, DeviceId("d3"), once("r3"), OK, now)
    with pytest.raises(AlreadyAnswered):
        await town.store.read_notice(given.id, DeviceId("d1"), once("r1"), OK, now)
    kept = await town.store.notice(given.id)
    assert kept is not None
    assert (kept.addressed, kept.delivered, kept.read) == (6, 3, 2)


async def test_who_was_not_addressed_has_read_nothing(town: Town) -> None:
    """Nor anybody an unknown notice."""
    given = notice(town.clock)
    await sent(town, given, ["u1"])
    now = town.clock.now()
    for name, device in ((given.id, "d3"), (NoticeId("other"), "d1")):
        assert not await town.store.read_notice(name, DeviceId(device), once("r"), OK, now)


async def test_a_notice_that_is_withdrawn_is_told_again_to_all_that_were_addressed(
    town: Town,
) -> None:
    """Newer, ended, and in place of what was not delivered yet; the rest never hear of it."""
    given = notice(town.clock)
    await put(town, given)
    await post(town, 2)
    await town.told("d1", 1)
    back = withdrawn(given, "key:k2", town.clock.now())
    assert await town.store.withdraw_notice(back)
    assert not await town.store.withdraw_notice(back)
    while await post(town) is not None:
        pass
    waiting = {d: [msgspec.to_builtins(f) for f in frames(await town.mail(d))] for d in ALL}
    assert [(d, [f["rev"] for f in found]) for d, found in waiting.items() if found] == [
        ("d1", [2]),
        ("d2", [2]),
    ]
    kept = await town.store.notice(given.id)
    assert kept is not None
    assert (kept.rev, kept.withdrawn_by, kept.addressed) == (2, "key:k2", 2)


async def test_what_waits_for_a_phone_is_known_at_a_start(town: Town) -> None:
    """The last seq of its notices; offers are no part of it."""
    await town.open()
    await sent(town, notice(town.clock), ["u1"])
    await town.told("d2", 99)
    assert await town.store.waiting_notices(town.clock.now()) == [("d1", 2)]
    rows = await town.store.notice_mail(DeviceId("d1"), 0, 10, town.clock.now())
    assert [row.seq for row in rows] == [2]
    assert await town.store.notice_mail(DeviceId("d1"), 2, 10, town.clock.now()) == []


async def test_a_row_lives_as_long_as_its_notice_and_a_day_at_most(town: Town) -> None:
    """After that a phone that comes is told nothing."""
    await sent(town, notice(town.clock, 1))
    week = town.clock.now() + timedelta(days=7)
    await sent(town, notice(town.clock, 2, expires_at=week))
    town.clock.advance(3601)
    assert len(await town.mail("d1")) == 1
    town.clock.advance(23 * 3600)
    assert await town.mail("d1") == []


async def test_a_full_outbox_lets_the_quietest_and_oldest_notices_go(town: Town) -> None:
    """Never an offer: one that comes when all is full finds room."""
    await sent(town, notice(town.clock, 1, level=NoticeLevel.URGENT), ["u1"])
    for number in range(2, OUTBOX_MOST + 1):
        level = NoticeLevel.WARN if number == 2 else NoticeLevel.INFO
        given = notice(town.clock, level=level, id=NoticeId(f"n{number:04}"))
        await sent(town, given, ["u1"])
    assert len(await town.mail("d1", limit=999)) == OUTBOX_MOST
    await sent(town, notice(town.clock, id=NoticeId("n9999"), level=NoticeLevel.INFO), ["u1"])
    rows = await town.mail("d1", limit=999)
    assert (len(rows), [r.seq for r in rows[:3]]) == (OUTBOX_MOST, [1, 2, 4])
    await town.open()
    rows = await town.mail("d1", limit=999)
    assert (len(rows), [r.seq for r in rows[:3]]) == (OUTBOX_MOST, [1, 2, 5])
    assert (await town.tags("d1"))[:1] == ["notice"]
    assert str(type(frames(rows)[-1]).__struct_config__.tag) == "offer"


async def test_notices_are_listed_by_jurisdiction_newest_first(town: Town) -> None:
    """Without counts; page by page."""
    for number, juris in ((1, "gz"), (2, "gz.hp"), (3, "gz.hp.xg"), (4, "gz.hpx")):
        await put(town, notice(town.clock, number, juris=juris))
    found = await town.store.notices("gz.hp", None, 10)
    assert [n.juris for n in found] == ["gz.hp.xg", "gz.hp"]
    assert [n.juris for n in await town.store.notices("gz", found[0].id, 1)] == ["gz.hp"]
    assert await town.store.notice(NoticeId("unknown")) is None


async def test_notices_are_forgotten_a_month_after_their_end(town: Town) -> None:
    """With who has read them."""
    given = notice(town.clock)
    await sent(town, given)
    town.clock.advance(3600 + 30 * 86400 - 1)
    await town.store.forget(town.clock.now(), 100)
    assert await town.store.notice(given.id) is not None
    town.clock.advance(2)
    await town.store.forget(town.clock.now(), 100)
    assert await town.store.notice(given.id) is None
