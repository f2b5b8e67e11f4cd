"""What is said to other processes, on which subject, and what is left out."""

import asyncio

import pytest
import pytest_asyncio

from dispatch.bus.local import LocalBus, Wire
from dispatch.desk import words
from dispatch.desk.voice import FIXES_MOST, Voice
from dispatch.ports import BODY_MOST, NodeId
from schemas.base import DeviceId, MemberId, UnitId

pytestmark = pytest.mark.asyncio


class Talk:
    """A voice, and who listens to it."""

    def __init__(self) -> None:
        wire = Wire()
        self.bus = LocalBus(wire)
        self.listener = LocalBus(wire)
        self.voice = Voice(self.bus, NodeId("n1"), "kapok.x")
        self.heard: list[tuple[str, bytes]] = []

    async def listen(self) -> None:
        """Hear everything from now on."""
        await self.listener.subscribe("kapok.>", lambda s, b: self.heard.append((s, b)))

    async def subjects(self) -> list[str]:
        """Return the subjects that were heard."""
        await asyncio.sleep(0)
        return [subject for subject, _ in self.heard]


@pytest_asyncio.fixture
async def talk() -> Talk:
    """A voice that is heard."""
    made = Talk()
    await made.listen()
    return made


def fix(unit: str) -> words.Fix:
    """Return where a unit is."""
    return words.Fix(UnitId(unit), MemberId("m"), 113.3, 23.1, 5.0, 1.0)


async def test_positions_go_by_city(talk: Talk) -> None:
    """A message costs more than what is in it, so one tells of a whole city."""
    fixes = [("gz.hp.a", fix("u1")), ("gz.th", fix("u2")), ("sz", fix("u3")), ("gz", fix("u4"))]
    talk.voice.fixes(fixes)
    assert await talk.subjects() == ["kapok.x.loc.gz.n1", "kapok.x.loc.sz.n1"]
    first = words.heard(talk.heard[0][1], words.Fixes)
    assert [told.unit_id for told in first.fixes] == ["u1", "u2", "u4"]


async def test_positions_of_everybody_fit_into_some_words(talk: Talk) -> None:
    """Whatever piled up: none is too long to be carried, and nobody is left out."""
    talk.voice.fixes(("gz", fix(f"u{number}")) for number in range(2 * FIXES_MOST + 1))
    assert await talk.subjects() == ["kapok.x.loc.gz.n1"] * 3
    told = [words.heard(body, words.Fixes).fixes for _, body in talk.heard]
    assert [len(fixes) for fixes in told] == [FIXES_MOST, FIXES_MOST, 1]
    assert len({told.unit_id for fixes in told for told in fixes}) == 2 * FIXES_MOST + 1
    assert talk.voice.unsaid == 0


async def test_every_word_has_the_next_number(talk: Talk) -> None:
    """And a pulse tells the last one."""
    talk.voice.changed("gz.hp", [UnitId("u1")])
    talk.voice.here([], [DeviceId("d1")])
    talk.voice.pulse()
    assert await talk.subjects() == [
        "kapok.x.ev.gz.hp.changed",
        "kapok.x.here.n1.phones",
        "kapok.x.here.n1.pulse",
    ]
    changed, here, pulse = (body for _, body in talk.heard)
    assert words.heard(changed, words.Changed).n == 1
    assert words.heard(here, words.Here).n == 2
    assert words.heard(pulse, words.Pulse).last == 2


async def test_nothing_is_said_to_nobody(talk: Talk) -> None:
    """The numbers go on: whoever comes later is told how many there were."""
    talk.voice.hush_while(lambda: True)
    talk.voice.changed("gz", [UnitId("u1")])
    talk.voice.fixes([("gz", fix("u1"))])
    assert await talk.subjects() == []
    assert talk.voice.last == 1


async def test_what_cannot_be_carried_leaves_a_gap(talk: Talk) -> None:
    """Too much for one message, or no bus: the number is used up, which those who listen notice."""
    talk.voice.changed("gz", [UnitId("u" * BODY_MOST)])
    talk.bus.cut()
    talk.voice.changed("gz", [UnitId("u1")])
    talk.bus.heal()
    talk.voice.changed("gz", [UnitId("u1")])
    await asyncio.sleep(0)
    assert [words.heard(body, words.Changed).n for _, body in talk.heard] == [3]
    assert (talk.voice.said, talk.voice.unsaid) == (1, 2)


async def test_a_word_of_another_shape_cannot_be_read() -> None:
    """That is said, not guessed at; a field that is not known is no harm."""
    for body in (b"\xff", b"{}", b"[[[", b'{"node":1,"n":"x"}'):
        with pytest.raises(words.Unreadable):
            words.heard(body, words.Changed)
    newer = b'{"node":"n2","n":3,"unit_ids":["u1"],"colour":"red"}'
    assert words.heard(newer, words.Changed).unit_ids == ("u1",)


async def test_what_cannot_be_told_leaves_a_gap(talk: Talk) -> None:
    """The next pulse shows a number too many, and nothing else is said."""
    talk.voice.leave_gap()
    talk.voice.pulse()
    assert await talk.subjects() == ["kapok.x.here.n1.pulse"]
    assert words.heard(talk.heard[0][1], words.Pulse).last == 1
