"""The outbox of the store in memory: one stream a phone, numbered without a second chance."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from dispatch.core.decision import Mail
from dispatch.ports import Outbox, Sealed
from schemas.base import DeviceId, Instant, MemberId, UnitId
from schemas.unit import Device, Duty
from schemas.wire import OfferFrame

RINGS: Final = frozenset({Duty.ON})
HEARS: Final = frozenset({Duty.ON, Duty.PAUSED})


@dataclass(slots=True)
class Row:
    """A frame in a phone's stream."""

    seq: int
    mail: Mail
    acked: bool = False
    superseded: bool = False


@dataclass(slots=True)
class Stream:
    """What one phone was sent: row n has seq n + 1; and the same by what it was about."""

    device: Device
    rows: list[Row]
    told: dict[str, list[Row]]
    head: int = 0
    acked: int = 0


class MemoryOutbox:
    """The streams of all phones."""

    def __init__(self) -> None:
        self._streams: dict[DeviceId, Stream] = {}
        self._of_unit: dict[UnitId, list[DeviceId]] = {}

    def add(self, device: Device) -> None:
        """Give a member a phone, or his phone a new token."""
        for stream in self.streams(device.unit_id):
            if stream.device.member_id == device.member_id:
                stream.device = msgspec.structs.replace(stream.device, token_hash=device.token_hash)
                return
        self._streams[device.id] = Stream(device, [], {})
        self._of_unit.setdefault(device.unit_id, []).append(device.id)
        self._of_unit[device.unit_id].sort()

    def devices(self) -> Iterator[Device]:
        """Yield every phone, with how far its stream has come."""
        for stream in self._streams.values():
            yield msgspec.structs.replace(stream.device, head=stream.head, acked=stream.acked)

    def streams(self, unit_id: UnitId) -> list[Stream]:
        """Return the streams of a unit's phones, by device."""
        return [self._streams[d] for d in self._of_unit.get(unit_id, ())]

    def post(self, mail: Sequence[Mail], duty_of: Callable[[MemberId], Duty]) -> list[Sealed]:
        """Put frames in the streams they are for; return them by device, each in its order."""
        letters = [
            (stream, letter)
            for letter in mail
            for stream in self.streams(letter.unit_id)
            if _is_for(stream, letter, duty_of(stream.device.member_id))
        ]
        for stream, letter in letters:
            _supersede(stream, letter)
        letters.sort(key=lambda addressed: addressed[0].device.id)
        return [_seal(stream, letter) for stream, letter in letters]

    def waiting(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> Iterator[Outbox]:
        """Return what a phone has not acknowledged and may still need, in order."""
        rows = self._streams[device_id].rows[after:] if device_id in self._streams else []
        wanted = [r for r in rows if _is_open(r) and r.mail.expires_at > now]
        for row in wanted[:limit]:
            frame = msgspec.Raw(msgspec.json.encode(row.mail.frame))
            yield Outbox(seq=row.seq, at=row.mail.at, frame=frame)

    def acknowledge(self, device_id: DeviceId, seq: int) -> Iterator[str]:
        """Note how far a phone has its mail; yield the offers it has now."""
        stream = self._streams.get(device_id)
        if stream is None:
            return
        new = stream.rows[stream.acked : seq]
        stream.acked = min(stream.head, max(stream.acked, seq))
        for row in new:
            row.acked = True
            if isinstance(row.mail.frame, OfferFrame):
                yield row.mail.ref


def _is_for(stream: Stream, letter: Mail, duty: Duty) -> bool:
    """Say whether a phone is told: on duty, or told of the same before; never who said so."""
    if stream.device.id == letter.not_to:
        return False
    hears = RINGS if isinstance(letter.frame, OfferFrame) else HEARS
    return duty in hears or letter.ref in stream.told


def _supersede(stream: Stream, letter: Mail) -> None:
    """Mark what a frame makes needless: an end all before it, an update the one of its kind."""
    tag = _tag(letter)
    for row in stream.told.get(letter.ref, ()):
        if not row.acked and (tag.endswith(".end") or _tag(row.mail) == tag):
            row.superseded = True


def _seal(stream: Stream, letter: Mail) -> Sealed:
    stream.head += 1
    row = Row(seq=stream.head, mail=letter)
    stream.rows.append(row)
    stream.told.setdefault(letter.ref, []).append(row)
    return Sealed(device_id=stream.device.id, seq=row.seq, mail=letter)


def _tag(letter: Mail) -> str:
    return str(type(letter.frame).__struct_config__.tag)


def _is_open(row: Row) -> bool:
    return not row.acked and not row.superseded
