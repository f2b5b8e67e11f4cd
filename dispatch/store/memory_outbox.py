"""The outbox of the store in memory: one stream a phone, numbered without a second chance."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from dispatch.core.decision import Mail
from dispatch.ports import Outbox, PushAddress, Sealed
from schemas.base import DeviceId, Instant, MemberId, UnitId
from schemas.notice import NoticeLevel
from schemas.unit import Device, Duty
from schemas.wire import NoticeFrame, OfferFrame

RINGS: Final = frozenset({Duty.ON})
HEARS: Final = frozenset({Duty.ON, Duty.PAUSED})
QUIETEST: Final = tuple(NoticeLevel)


@dataclass(slots=True)
class Row:
    """A frame in a phone's stream."""

    seq: int
    mail: Mail
    acked: bool = False
    superseded: bool = False
    own: bool = False
    weighed: bool = False


@dataclass(slots=True)
class Stream:
    """What one phone was sent: by seq, and by what it was about."""

    device: Device
    rows: dict[int, Row]
    told: dict[str, list[Row]]
    head: int = 0
    acked: int = 0
    address: PushAddress | None = None


class MemoryOutbox:
    """The streams of all phones."""

    def __init__(self) -> None:
        self._streams: dict[DeviceId, Stream] = {}
        self._of_unit: dict[UnitId, list[DeviceId]] = {}

    def add(self, device: Device) -> DeviceId:
        """Give a member a phone, or his phone a new token; return the phone's id."""
        for stream in self.streams(device.unit_id):
            if stream.device.member_id == device.member_id:
                stream.device = msgspec.structs.replace(stream.device, token_hash=device.token_hash)
                stream.address = None
                return stream.device.id
        self._streams[device.id] = Stream(device, {}, {})
        self._of_unit.setdefault(device.unit_id, []).append(device.id)
        self._of_unit[device.unit_id].sort()
        return device.id

    def devices(self) -> Iterator[Device]:
        """Yield every phone, with how far its stream has come."""
        for stream in self._streams.values():
            yield msgspec.structs.replace(stream.device, head=stream.head, acked=stream.acked)

    def streams(self, unit_id: UnitId) -> list[Stream]:
        """Return the streams of a unit's phones, by device."""
        return [self._streams[d] for d in self._of_unit.get(unit_id, ())]

    def stream(self, device_id: DeviceId) -> Stream | None:
        """Return the stream of a phone."""
        return self._streams.get(device_id)

    def find(self, device_id: DeviceId, seq: int) -> tuple[Stream, Row] | None:
        """Return a frame, with the stream it is in."""
        stream = self._streams.get(device_id)
        return (stream, stream.rows[seq]) if stream and seq in stream.rows else None

    def unheard(self, now: Instant) -> Iterator[tuple[Stream, Row]]:
        """Yield every frame its phone may still need and has not acknowledged."""
        for stream in self._streams.values():
            for row in stream.rows.values():
                if _is_open(row) and row.mail.expires_at > now:
                    yield stream, row

    def post(
        self, mail: Sequence[Mail], duty_of: Callable[[MemberId], Duty], cause: str = ""
    ) -> list[Sealed]:
        """Put frames in the streams they are for; return them by device, each in its order.

        `cause` is the scope of the command that means them: `device:` and a phone's id.
        """
        letters = [
            (stream, letter)
            for letter in mail
            for stream in self.streams(letter.unit_id)
            if _is_for(stream, letter, duty_of(stream.device.member_id))
        ]
        for stream, letter in letters:
            _supersede(stream, letter)
        letters.sort(key=lambda addressed: addressed[0].device.id)
        return [_seal(stream, letter, cause) for stream, letter in letters]

    def put(self, device_id: DeviceId, letter: Mail, bound: int) -> Sealed:
        """Put one frame in one phone's stream, whoever holds it; hold the stream to its bound."""
        stream = self._streams[device_id]
        _supersede(stream, letter)
        sealed = _seal(stream, letter, "")
        self.trim([device_id], bound, letter.at)
        return sealed

    def unit_of(self, device_id: DeviceId) -> UnitId:
        """Return whose phone it is."""
        return self._streams[device_id].device.unit_id

    def trim(self, devices: Iterable[DeviceId], bound: int, now: Instant) -> None:
        """Let the oldest notices go where more than `bound` rows wait, the least loud first."""
        for device_id in devices:
            waiting = self._waiting(device_id, 0, now)
            going = sorted(_notices(waiting), key=_loudness)
            for row in going[: max(0, len(waiting) - bound)]:
                row.superseded = True

    def notices(self, device_id: DeviceId, after: int, now: Instant) -> list[Outbox]:
        """Return the notices that wait for a phone above a seq, in order."""
        return [_kept(row) for row in _notices(self._waiting(device_id, after, now))]

    def _waiting(self, device_id: DeviceId, after: int, now: Instant) -> list[Row]:
        rows = self._streams[device_id].rows.values() if device_id in self._streams else ()
        return [r for r in rows if r.seq > after and _is_open(r) and r.mail.expires_at > now]

    def waiting(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> Iterator[Outbox]:
        """Return what a phone has not acknowledged and may still need, in order."""
        for row in self._waiting(device_id, after, now)[:limit]:
            yield _kept(row)

    def acknowledge(self, device_id: DeviceId, seq: int) -> Iterator[str]:
        """Note how far a phone has its mail; yield the offers and notices it has now."""
        stream = self._streams.get(device_id)
        if stream is None:
            return
        before, stream.acked = stream.acked, min(stream.head, max(stream.acked, seq))
        for row in [
            stream.rows[n] for n in range(before + 1, stream.acked + 1) if n in stream.rows
        ]:
            row.acked = True
            if isinstance(row.mail.frame, OfferFrame | NoticeFrame):
                yield row.mail.ref

    def forget(self, before: Instant, now: Instant, most: int) -> int:
        """Delete the oldest settled rows older than `before`; return how many went."""
        settled = [
            (row.mail.at, stream.device.id, row.seq)
            for stream in self._streams.values()
            for row in stream.rows.values()
            if row.mail.at < before and (not _is_open(row) or row.mail.expires_at < now)
        ]
        for _, device_id, seq in sorted(settled)[:most]:
            _drop(self._streams[device_id], seq)
        return min(most, len(settled))


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


def _seal(stream: Stream, letter: Mail, cause: str) -> Sealed:
    stream.head += 1
    row = Row(seq=stream.head, mail=letter, own=cause == f"device:{stream.device.id}")
    stream.rows[row.seq] = row
    stream.told.setdefault(letter.ref, []).append(row)
    return Sealed(device_id=stream.device.id, seq=row.seq, mail=letter)


def _drop(stream: Stream, seq: int) -> None:
    row = stream.rows.pop(seq)
    stream.told[row.mail.ref].remove(row)
    if not stream.told[row.mail.ref]:
        del stream.told[row.mail.ref]


def _tag(letter: Mail) -> str:
    return str(type(letter.frame).__struct_config__.tag)


def _kept(row: Row) -> Outbox:
    frame = msgspec.Raw(msgspec.json.encode(row.mail.frame))
    return Outbox(seq=row.seq, at=row.mail.at, frame=frame)


def _notices(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if isinstance(row.mail.frame, NoticeFrame)]


def _loudness(row: Row) -> tuple[int, int]:
    """Return what notices are let go by: the least loud first, then the oldest."""
    assert isinstance(row.mail.frame, NoticeFrame)  # noqa: S101 - only notices are ordered by it
    return QUIETEST.index(row.mail.frame.lvl), row.seq


def _is_open(row: Row) -> bool:
    return not row.acked and not row.superseded
