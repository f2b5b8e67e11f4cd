"""The golden transcripts are what the real service says, on a real socket and a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dispatch.auth import DEVICE_PREFIX, Role, token_hash
from dispatch.cli.city import register
from dispatch.cli.codes import Failure
from dispatch.cli.replay import Phone, Replay, cast
from dispatch.clock import SystemClock, new_token
from dispatch.phone.transcript import BadTranscript, Line, Mismatch, Notes, read
from dispatch.store.registry import IssuedDevice, Registry, registry
from schemas.base import DeviceId, KeyId, UnitId
from tests.cities import small_city
from tests.serving import served

HERE = Path(__file__).parent
TRANSCRIPTS = sorted(HERE.glob("*.jsonl"))


class Stage:
    """Where transcripts are played: an address, a key, and the three phones."""

    def __init__(self, url: str, key: str, phones: dict[str, Phone]) -> None:
        self.url, self.key, self.phones = url, key, phones


@pytest_asyncio.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    """A small town whose first unit has two members on duty, each with a phone."""
    clock, key = SystemClock(), new_token("kk")
    async with registry(database) as registered:
        issued = await register(registered, small_city(20), 20, clock.new_id, lambda *_: None)
        mate = await second_phone(registered, issued[0].unit, clock)
        await registered.put_key(
            KeyId(clock.new_id()), "golden", Role.DISPATCHER, "gz", token_hash(key)
        )
    phones = [Phone(unit=p.unit, token=p.token) for p in issued]
    async with served(database) as (_, url):
        yield Stage(url, key, cast([*phones, Phone(unit=issued[0].unit, token=mate)]))


async def second_phone(registered: Registry, unit: UnitId, clock: SystemClock) -> str:
    """Put a second member of a unit on duty and give him a phone; return its token."""
    members = [m for m in await registered.members() if m.unit_id == unit]
    leaders = [m.id for m in await registered.members() if m.leader]
    mate = next(m for m in members if not m.leader)
    token = new_token(DEVICE_PREFIX)
    await registered.set_duties([*leaders, mate.id])
    await registered.put_devices(
        [
            IssuedDevice(
                id=DeviceId(clock.new_id()),
                unit_id=unit,
                member_id=mate.id,
                token_hash=token_hash(token),
            )
        ]
    )
    return token


@pytest.mark.asyncio
@pytest.mark.e2e
@pytest.mark.postgres
@pytest.mark.parametrize("file", TRANSCRIPTS, ids=lambda file: file.stem)
async def test_the_service_says_what_the_transcript_says(file: Path, stage: Stage) -> None:
    """App teams may rely on every line."""
    lines = read(file.read_text())  # noqa: ASYNC240 - a file of a few lines
    await Replay(stage.url, stage.key, stage.phones).play(lines)
    assert any(line.hear is not None or line.closed is not None for line in lines)


@pytest.mark.asyncio
@pytest.mark.e2e
@pytest.mark.postgres
async def test_a_server_that_speaks_otherwise_is_found_out(stage: Stage) -> None:
    """The step that differs is named with what was heard."""
    lines = read((HERE / "hello.jsonl").read_text())
    wrong = [*lines[:4], Line(hear={"t": "ok"}), *lines[4:]]
    with pytest.raises(Mismatch, match="step"):
        await Replay(stage.url, stage.key, stage.phones, hear_s=0.5).play(wrong)


def test_a_line_that_is_no_step_is_named_by_its_number() -> None:
    """A typing mistake in a transcript is no silent pass."""
    with pytest.raises(BadTranscript, match="line 2"):
        read('{"connect": "a"}\n{"sya": {}}\n')


@pytest.mark.parametrize(
    ("wanted", "heard", "said"),
    [
        ({"t": "ok"}, {"t": "err"}, "t is 'err', not 'ok'"),
        ({"result": {"aid": "$any"}}, {"result": {}}, "result.aid is missing"),
        ({"bad": [1, 2]}, {"bad": [1, 3]}, r"bad\[1\] is 3, not 2"),
        ({"bad": [1]}, {"bad": [1, 2]}, "bad is"),
        ({"a": "$x", "b": "$x"}, {"a": 1, "b": 2}, "b is 2, not 1 as noted before"),
        ({"a": {}}, 7, "frame is 7"),
    ],
)
def test_differences_are_told_by_their_place(wanted: object, heard: object, said: str) -> None:
    """Whoever reads the failure sees where to look."""
    with pytest.raises(Mismatch, match=said):
        Notes({}, lambda: "id").match(wanted, heard)


def test_names_are_noted_once_and_put_in_afterwards() -> None:
    """What the server gave is used in the next step."""
    notes = Notes({"unit": "u1"}, lambda: "fresh")
    notes.match({"oid": "$oid", "rest": "$any"}, {"oid": "o1", "rest": 3, "more": 4})
    filled = notes.filled({"oid": "$oid", "id": "$new:n", "at": "$now", "l": ["$n", 1]}, 5.0)
    assert filled == {"oid": "o1", "id": "fresh", "at": 5.0, "l": ["fresh", 1]}
    assert notes.path("/v1/units/$unit?after=$n") == "/v1/units/u1?after=fresh"
    with pytest.raises(Mismatch, match="nothing was noted as missing"):
        notes.filled("$missing", 0.0)


def test_a_name_may_be_given_with_more_or_less() -> None:
    """A place a little north, the next seq, a tap of a minute ago."""
    notes = Notes({"lat": 23.1, "head": 7}, lambda: "fresh")
    filled = notes.filled(["$lat+0.5", "$head+2", "$now-60000", "not $head+2"], 100_000.0)
    assert filled == [23.6, 9, 40_000.0, "not $head+2"]
    notes.match({"seq": "$head+1"}, {"seq": 8})
    with pytest.raises(Mismatch, match="seq is 9, not 8"):
        notes.match({"seq": "$head+1"}, {"seq": 9})
    with pytest.raises(Mismatch, match="nothing was noted as tail"):
        notes.filled("$tail+1", 0.0)


def test_parts_need_two_phones_of_one_unit_and_one_of_another() -> None:
    """A file that cannot play them says what it lacks."""
    with pytest.raises(Failure, match="two phones of one unit"):
        cast([Phone(unit="a", token="1"), Phone(unit="b", token="2")])
