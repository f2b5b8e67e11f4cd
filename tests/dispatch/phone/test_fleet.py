"""Phones in one process against a scripted centre; time goes when the test says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from dispatch.phone.behaviour import Habits
from dispatch.phone.fleet import (
    Fleet,
    FleetOptions,
    PhoneLine,
    TooFewFiles,
    loopback_sources,
    phones_most,
    read_phones,
    require_files,
)
from geo.eta import Moves
from schemas.incident import AssignmentState
from schemas.unit import Duty
from schemas.wire import Err, ErrorCode, Frame, OfferEndWhy, Ok, Pong
from tests.dispatch.phone.script import (
    Caller,
    Centre,
    Script,
    greet,
    offer,
    offer_end,
    open_centre,
    task,
    task_end,
    until,
    welcome,
)
from tests.fakes import ManualClock

YES = Habits(accept=1.0)


class World:
    """A fleet and the clock it lives by."""

    def __init__(self, centre: Centre, phones: int, options: FleetOptions) -> None:
        self.centre = centre
        self.clock = ManualClock()
        lines = [
            PhoneLine(device=f"d{n}", token=f"kd_{n}", unit=f"u{n}", lon=113.3, lat=23.1)
            for n in range(phones)
        ]
        self.fleet = Fleet(lines, centre.url, options, self.clock)

    @property
    def online(self) -> int:
        """Return how many phones the centre knows."""
        return self.fleet.count().online

    async def see(self, true: object, *, passing_s: float = 0.0) -> None:
        """Run until a thing is true, with time passing by that much at every turn."""
        assert callable(true)

        def turn() -> None:
            self.clock.advance(passing_s)
            self.fleet.step()

        await until(true, turn)

    def heard(self, kind: str) -> list[dict[str, object]]:
        """Return what the centre heard of one kind."""
        return [frame for frame in self.centre.heard if frame["t"] == kind]


@asynccontextmanager
async def world(
    *scripts: Script, phones: int = 1, options: FleetOptions | None = None
) -> AsyncIterator[World]:
    """Serve the scripts, and run phones against them."""
    async with open_centre(*scripts) as centre:
        found = World(centre, phones, options or FleetOptions(habits=YES))
        found.fleet.start()
        try:
            yield found
        finally:
            await found.fleet.hang_up()


def ws(server: asyncio.Server) -> str:
    """Return the address of a server that speaks no websocket."""
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def call(*frames: Frame, duty: Duty = Duty.ON) -> Script:
    """Return a script: welcome, say the frames, answer every command with ok, every ping."""

    async def follow(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome(duty=duty))
        for frame in frames:
            await caller.say(frame)
        while True:
            heard = await caller.hear()
            if "id" in heard:
                await caller.say(Ok(re=str(heard["id"])))
            if heard["t"] == "ping" or heard.get("p"):
                await caller.say(Pong(now=0))

    return follow


@pytest.mark.asyncio
async def test_all_phones_come_online_with_their_own_tokens() -> None:
    """A bounded number at once, a bounded number a second."""
    options = FleetOptions(
        connect_per_s=5_000, handshakes_max=3, sources=("127.0.0.2", "127.0.0.3")
    )
    async with world(greet, phones=20, options=options) as here:
        most = 0

        def all_online() -> bool:
            nonlocal most
            most = max(most, here.fleet.count().dialling)
            return here.online == 20

        await here.see(all_online)
        assert most == 3
        assert {str(frame["tok"]) for frame in here.heard("hello")} == {
            f"kd_{n}" for n in range(20)
        }
        seen = {caller.connection.remote_address[0] for caller in here.centre.callers}
        assert seen == {"127.0.0.2", "127.0.0.3"}


@pytest.mark.asyncio
async def test_an_offer_is_seen_accepted_and_gone_to_the_end() -> None:
    """The whole way, and what the diary keeps of it."""
    sent_ms = ManualClock().now().timestamp() * 1000

    async def centre(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome(head=3))
        await caller.say(offer(seq=4, ts=sent_ms))
        while True:
            heard = await caller.hear()
            if "id" in heard:
                await caller.say(Ok(re=str(heard["id"])))
            if heard["t"] == "ping" or heard.get("p"):
                await caller.say(Pong(now=0))
            if heard["t"] == "offer.reply":
                await caller.say(task(seq=6))
            if heard.get("s") == "resolved":
                await caller.say(task_end(seq=7))

    async with world(centre) as here:
        await here.see(lambda: here.fleet.tally.ended.get("assign.resolved"), passing_s=2.0)
        await here.see(lambda: any(frame.get("ack") == 7 for frame in here.centre.heard))
        states = [frame["s"] for frame in here.heard("progress")]
        assert states == ["en_route", "arrived", "controlled", "resolved"]
        assert [frame["t"] for frame in here.centre.heard if "oid" in frame] == [
            "offer.seen",
            "offer.reply",
        ]
        assert here.heard("loc")
        diary = here.fleet.diary()
        assert diary.devices["d0"].seqs == [[4, 4], [6, 7]]
        assert diary.devices["d0"].welcomes[0][0] == 3
        assert diary.devices["d0"].connected
        assert diary.offers_first["i-o1"][0] == sent_ms
        assert diary.push_ms.n == 1
        assert (diary.tally.offers, diary.tally.accepts, diary.tally.tasks) == (1, 1, 1)
        assert (diary.tally.arrivals, diary.tally.resolved) == (1, 1)
        ((incident, after_s),) = diary.arrivals
        assert incident == "i1"
        assert after_s > 30.0
        assert here.fleet.tally.arrived_180_s == 0


@pytest.mark.asyncio
async def test_a_refused_answer_is_counted_and_nobody_goes() -> None:
    """Somebody else was sooner."""

    async def late(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome())
        await caller.say(offer(seq=1))
        while True:
            heard = await caller.hear()
            if heard["t"] == "offer.reply":
                await caller.say(Err(code=ErrorCode.TAKEN, msg="taken", re=str(heard["id"])))
            elif "id" in heard:
                await caller.say(Ok(re=str(heard["id"])))

    async with world(late) as here:
        await here.see(lambda: here.fleet.tally.refused, passing_s=0.5)
        assert here.fleet.tally.refused == {"taken": 1}
        assert here.fleet.tally.ended == {"offer.taken": 1}
        assert here.fleet.tally.tasks == 0


@pytest.mark.asyncio
async def test_an_offer_that_ends_in_time_is_not_answered() -> None:
    """Both frames are acked, and nothing else is said."""
    frames = (offer(seq=1), offer_end(seq=2, why=OfferEndWhy.WITHDRAWN))
    async with world(call(*frames)) as here:
        await here.see(lambda: any(frame.get("ack") == 2 for frame in here.centre.heard))
        here.clock.advance(30)
        await here.see(lambda: here.heard("ping"))
        assert here.fleet.tally.ended == {"offer.withdrawn": 1}
        assert here.heard("offer.reply") == []


@pytest.mark.asyncio
async def test_a_drained_phone_comes_back_and_goes_on() -> None:
    """4200: the state of the new welcome tells that it is engaged."""

    async def drain(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome(head=8, tasks=(task(s=AssignmentState.EN_ROUTE),)))
        await caller.hear()
        await caller.hang_up(4200, '{"r":"draining","ra":0}')

    async def again(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome(head=8, tasks=(task(s=AssignmentState.EN_ROUTE),)))
        await caller.listen()

    async with world(drain, again) as here:
        await here.see(lambda: len(here.heard("hello")) == 2 and here.online, passing_s=0.1)
        first, second = here.heard("hello")
        assert first.get("ack") is None
        assert (second["ack"], second["epoch"], second["busy"]) == (8, "e1", True)
        assert first["inst"] == second["inst"]
        assert here.fleet.tally.losses == {"4200": 1}
        assert here.fleet.tally.tasks == 1


@pytest.mark.asyncio
async def test_a_revoked_phone_stays_away() -> None:
    """4002 is for ever, and costs nothing any more."""

    async def revoke(caller: Caller) -> None:
        await caller.hear()
        await caller.hang_up(4002, '{"r":"device_revoked"}')

    async with world(revoke, greet) as here:
        await here.see(lambda: here.fleet.tally.losses == {"4002": 1})
        here.clock.advance(86_400)
        for _ in range(20):
            here.fleet.step()
            await asyncio.sleep(0)
        assert len(here.centre.callers) == 1


@pytest.mark.asyncio
async def test_a_half_open_line_is_found_and_left() -> None:
    """No pong within hb + 5 s: the phone hangs up and dials anew."""

    async def silent(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome())
        await caller.listen()

    async with world(silent, greet) as here:
        await here.see(lambda: here.online == 1)
        here.clock.advance(30)
        await here.see(lambda: here.heard("ping"))
        here.clock.advance(35)
        await here.see(lambda: len(here.heard("hello")) == 2, passing_s=0.1)
        assert here.fleet.tally.losses == {"broken": 1}


@pytest.mark.asyncio
async def test_a_server_that_never_upgrades_is_left() -> None:
    """Accepting a connection is no answer."""
    opened = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        here = World(Centre(url=ws(server)), 1, FleetOptions())
        here.fleet.start()
        await here.see(opened.is_set)
        here.clock.advance(16)
        await here.see(lambda: here.fleet.tally.losses.get("refused"))
        await here.fleet.hang_up()
        assert here.fleet.count().dialling == 0


@pytest.mark.asyncio
async def test_nobody_there_is_tried_again_with_growing_waits() -> None:
    """The phones of a dead server do not stop trying."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    here = World(Centre(url=ws(server)), 1, FleetOptions())
    server.close()
    await server.wait_closed()
    here.fleet.start()
    await here.see(lambda: here.fleet.tally.losses.get("refused", 0) >= 4, passing_s=0.5)
    await here.fleet.hang_up()
    assert here.online == 0


@pytest.mark.asyncio
async def test_who_is_off_duty_clocks_in() -> None:
    """Simulated people come to work."""
    async with world(call(duty=Duty.OFF)) as here:
        await here.see(lambda: here.heard("duty"))
        assert [frame["s"] for frame in here.heard("duty")] == ["on"]


@pytest.mark.asyncio
async def test_after_the_stop_new_offers_are_heard_and_not_answered() -> None:
    """They are acked: a drain loses nothing."""
    go_on = asyncio.Event()

    async def late(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome())
        await go_on.wait()
        await caller.say(offer(seq=9))
        await caller.listen()

    async with world(late) as here:
        await here.see(lambda: here.online)
        here.fleet.stop_answering()
        go_on.set()
        await here.see(lambda: any(frame.get("ack") == 9 for frame in here.centre.heard))
        here.clock.advance(20)
        await here.see(lambda: here.heard("ping") or here.heard("loc"))
        assert here.heard("offer.seen") == []
        assert here.fleet.diary().devices["d0"].seqs == [[9, 9]]


@pytest.mark.asyncio
async def test_the_first_frame_of_an_incidents_offers_is_kept() -> None:
    """Whichever phone it went to: that is when the dispatch was done."""
    sent_ms = ManualClock().now().timestamp() * 1000
    later, sooner = offer(seq=1, ts=sent_ms - 10), offer(seq=1, ts=sent_ms - 50)
    async with world(call(later), call(sooner), call(later), phones=3) as here:
        await here.see(lambda: here.fleet.tally.offers == 3)
        assert here.fleet.diary().offers_first == {"i-o1": (sent_ms - 50, sent_ms)}
        assert here.fleet.diary().push_ms.max == 50.0


@pytest.mark.asyncio
async def test_a_diary_tells_what_was_done_and_how_long_each_stage_took() -> None:
    """Every command that was answered with ok, and the incident it belongs to."""
    frames = (offer(seq=1), task(seq=2))
    async with world(call(*frames)) as here:
        await here.see(lambda: here.fleet.tally.resolved, passing_s=1.0)
        await here.see(lambda: here.fleet.tally.done >= 5)
        diary = here.fleet.diary()
        assert [(deed.what, deed.iid, deed.ref) for deed in diary.deeds] == [
            ("en_route", "i1", "a1"),
            ("arrived", "i1", "a1"),
            ("controlled", "i1", "a1"),
            ("resolved", "i1", "a1"),
        ]
        assert diary.taken["progress_to_ok"].n == 4
        assert diary.taken["welcome"].n == 1
        assert diary.devices["d0"].unit == "u0"
        assert (diary.devices["d0"].offers, diary.devices["d0"].tasks) == (["o1"], ["a1"])
        here.fleet.begin()
        assert here.fleet.diary().taken["progress_to_ok"].n == 0


@pytest.mark.asyncio
async def test_planted_faults_of_the_stream_are_counted_and_named() -> None:
    """A frame twice, one out of order."""
    frames = (offer("o1", seq=5), offer("o1", seq=5), offer("o2", seq=4))
    async with world(call(*frames)) as here:
        await here.see(lambda: here.fleet.tally.reliable == 3)
        diary = here.fleet.diary()
        assert (diary.tally.doubled, diary.tally.disordered, diary.tally.rewound) == (1, 1, 0)
        assert [(fault.device, fault.what, fault.seq) for fault in diary.faults] == [
            ("d0", "doubled", 5),
            ("d0", "disordered", 4),
        ]


@pytest.mark.asyncio
async def test_phones_that_drop_off_the_net_come_back_and_are_no_disconnects() -> None:
    """They leave without a word, and by themselves."""
    options = FleetOptions(habits=YES, drops_per_min=60)
    async with world(greet, phones=3, options=options) as here:
        await here.see(lambda: here.online == 3, passing_s=0.05)
        assert here.fleet.tally.dropped_off == 0
        here.fleet.begin()
        await here.see(lambda: here.fleet.tally.dropped_off, passing_s=0.05)
        await here.see(lambda: here.fleet.tally.welcomes >= 4, passing_s=0.05)
        assert here.fleet.tally.disconnects == {}
        assert here.fleet.diary().taken["return"].n >= 1
        here.fleet.stop_answering()
        gone = here.fleet.tally.dropped_off
        here.clock.advance(60)
        here.fleet.step()
        assert here.fleet.tally.dropped_off == gone


@pytest.mark.asyncio
async def test_who_roams_reports_as_often_as_the_pace_asks() -> None:
    """In turn, and never more than once a second each."""
    options = FleetOptions(habits=Habits(roam=1.0), fixes_per_s=2)
    async with world(call(), phones=4, options=options) as here:
        await here.see(lambda: here.online == 4)
        before = here.fleet.tally.fixes
        for _ in range(100):
            here.clock.advance(0.1)
            here.fleet.step()
            await asyncio.sleep(0)
        assert 19 <= here.fleet.tally.fixes - before <= 21
        await here.see(lambda: len(here.heard("loc")) >= 19)
        places = {
            (f[0][1], f[0][2]) for frame in here.heard("loc") if isinstance(f := frame["f"], list)
        }
        assert len(places) >= 16


@pytest.mark.asyncio
async def test_who_stays_at_the_post_has_no_part_in_the_pace() -> None:
    """Nobody moves, so nothing is added to what the policy asks for."""
    options = FleetOptions(habits=Habits(roam=0.0), fixes_per_s=50)
    async with world(call(), phones=2, options=options) as here:
        await here.see(lambda: here.online == 2)
        here.clock.advance(1)
        here.fleet.step()
        assert here.fleet.tally.fixes == 0


@pytest.mark.asyncio
async def test_what_a_person_does_is_dropped_when_too_much_waits_for_an_answer() -> None:
    """Counted, and the line goes on."""

    async def mute(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome())
        for n in range(20):
            await caller.say(offer(f"o{n}", seq=n + 1))
        await caller.listen()

    async with world(mute) as here:
        await here.see(lambda: here.fleet.tally.offers == 20)
        await here.see(lambda: here.fleet.tally.dropped, passing_s=0.05)
        assert here.online == 1


@pytest.mark.asyncio
async def test_frames_of_a_newer_server_are_counted_and_acked() -> None:
    """An unknown message never ends a line."""

    async def newer(caller: Caller) -> None:
        await caller.hear()
        await caller.say(welcome())
        await caller.connection.send(json.dumps({"t": "parade", "seq": 2}))
        await caller.listen()

    async with world(newer) as here:
        await here.see(lambda: here.fleet.tally.skipped == 1)
        here.clock.advance(5)
        await here.see(lambda: any(frame.get("ack") == 2 for frame in here.centre.heard))
        assert here.fleet.diary().devices["d0"].seqs == [[2, 2]]


def test_thousands_on_loopback_connect_from_several_addresses() -> None:
    """Ports and open handshakes are counted per address; elsewhere the system knows its own."""
    assert loopback_sources("127.0.0.1", 20, 200) == ("127.0.0.2",)
    assert len(loopback_sources("127.0.0.1", 19_000, 200)) == 9
    assert len(loopback_sources("127.0.0.1", 90_000, 200)) == 19
    assert loopback_sources("10.0.0.1", 19_000, 200) == ()
    assert loopback_sources("127.0.0.1", 20, 200, 3) == ("127.0.3.2",)


def test_the_phones_file_is_read_line_by_line() -> None:
    """JSON lines; what a phone does not need is skipped."""
    line = b'{"device":"d","token":"t","unit":"u","lon":113.3,"lat":23.1,"moves":"car","x":1}\n'
    assert read_phones(line + b"\n" + line)[1].moves is Moves.CAR
    with pytest.raises(msgspec.DecodeError):
        read_phones(b'{"device":"d"}\n')


def test_more_phones_than_open_files_are_refused_before_the_first_dials() -> None:
    """With the number that fits."""
    with pytest.raises(TooFewFiles, match="fit"):
        require_files(phones_most() + 1)
    require_files(10)
