"""Who is connected: hands committed frames to sockets, reaps the silent, replaces, drains.

A frame is written once per socket, in the order of its seq. One that does not follow the last frame
of its socket is not written: the sweep reads what is missing from the outbox in the store. One that
the welcome should have told already asks the phone to come again (4202).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from dispatch.core.errors import Temporary
from dispatch.gateway.frames import Template, kept, template, turned
from dispatch.gateway.limits import (
    CHECKS_MAX,
    SEND_WITHIN_S,
    SESSIONS_PER_UNIT,
    SWEEP_EVERY_S,
    SWEEP_ROWS,
    later_s,
    spread_s,
)
from dispatch.gateway.phones import Phones
from dispatch.gateway.wheel import Wheel
from dispatch.ports import Identity, Outbox, Sealed, StoreAway
from geo.datum import Datum
from schemas.base import DeviceId, UnitId, ms
from schemas.wire import Close, ServerFrame

log = structlog.get_logger()


AWAY_S: Final = 5.0
HEARD_WITHIN_S: Final = 5.0
"""So long it may take to read what came while this process was away."""

Took = Callable[[str, float], None]
"""Is told how many seconds after its decision an offer came to a stage."""


Dice = Callable[[float], float]
"""Returns a time up to the one it is given: the clock's dice."""


def _nobody(_stage: str, _seconds: float) -> None:
    """Tell nobody."""


def _latest(most_s: float) -> float:
    """Return the latest time: of who has no dice."""
    return most_s


@dataclass(slots=True)
class Stats:
    """Plain counts since the start, for metrics; `sockets` and `phones` are the present number."""

    sockets: int = 0
    phones: int = 0
    accepted: int = 0
    refused_origin: int = 0
    frames_in: int = 0
    frames_out: int = 0
    reliable_out: int = 0
    swept: int = 0
    acks_ignored: int = 0
    lost_rows: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    closes: Counter[int] = field(default_factory=Counter)


class Socket(Protocol):
    """Any accepted socket. `writing_since` is set while a send is under way."""

    writing_since: float | None

    def waiting(self) -> tuple[int, int, int]:
        """Return how much waits to be written: answers, reliable frames, latest ones."""
        ...

    def expire(self, now: float) -> float | None:
        """Close what is overdue; return when to ask again, None when it is over."""
        ...

    def close(self, code: Close, retry_after_s: float | None = None) -> None:
        """Write what waits, then close. Never waits."""
        ...


class Seat(Socket, Protocol):
    """The socket of a phone that is known.

    `told` is the seq its welcome stood at, `queued` the last one it was handed since.
    """

    identity: Identity
    inst: str
    datum: Datum
    told: int
    queued: int
    lags: bool

    def deliver(self, form: Template, seq: int) -> None:
        """Queue a reliable frame; a full queue closes the socket. Never waits."""
        ...

    def refresh(self, key: str, frame: ServerFrame) -> None:
        """Queue a frame in place of the one that waits under `key`. Never waits."""
        ...


class Hub:
    """The sockets of this process: one per device."""

    def __init__(self, phones: Phones, took: Took = _nobody, dice: Dice = _latest) -> None:
        self.phones = phones
        self.took = took
        self._dice = dice
        self.stats = Stats()
        self.draining = False
        self._seats: dict[DeviceId, Seat] = {}
        self._units: dict[UnitId, set[DeviceId]] = {}
        self._wheel: Wheel[Socket] = Wheel()
        self._sockets: set[Socket] = set()
        self._writing: set[Socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._checks = 0
        self._lagging = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    # Coming and going. ---------------------------------------------------------------------------

    def watch(self, socket: Socket, due_at: float) -> None:
        """Ask the socket from `due_at` on whether it is overdue."""
        self._sockets.add(socket)
        self._empty.clear()
        self.stats.sockets += 1
        self.stats.accepted += 1
        self._wheel.add(socket, due_at)

    def hurry(self, socket: Socket, due_at: float) -> None:
        """Ask the socket at `due_at` too; it tells by itself when that was once too often."""
        self._wheel.add(socket, due_at)

    def forget(self, socket: Socket) -> None:
        """Note that the socket is gone."""
        self._sockets.discard(socket)
        self.stats.sockets = len(self._sockets)
        if not self._sockets:
            self._empty.set()

    def enter(self, seat: Seat) -> None:
        """Give the device this socket; an older one is closed."""
        self.replaced(seat.identity.device_id, seat.inst)
        self._seats[seat.identity.device_id] = seat
        self._units.setdefault(seat.identity.unit_id, set()).add(seat.identity.device_id)
        self.stats.phones = len(self._seats)
        self.phones.connected(seat.identity, seat.inst)

    def has_room(self, identity: Identity) -> bool:
        """Tell whether the phone's unit may have one more socket; its own older one makes room."""
        colleagues = self._units.get(identity.unit_id, set())
        return len(colleagues - {identity.device_id}) < SESSIONS_PER_UNIT

    def _retire(self, older: Seat, inst: str) -> None:
        same = older.inst == inst
        if not same:
            log.info("phone_replaced", device=older.identity.device_id, unit=older.identity.unit_id)
        self.leave(older)
        older.close(Close.DRAINING if same else Close.REPLACED, 0.0)

    def replaced(self, device_id: DeviceId, inst: str) -> None:
        """Close the socket of a phone that has said hello to another process."""
        older = self._seats.get(device_id)
        if older is not None:
            self._retire(older, inst)

    def leave(self, seat: Seat) -> None:
        """Note that the phone has this socket no more; nothing for one that was replaced.

        Never raises: one phone's fault may not end the round that closes many.
        """
        identity = seat.identity
        if self._seats.get(identity.device_id) is not seat:
            return
        del self._seats[identity.device_id]
        colleagues = self._units[identity.unit_id]
        colleagues.discard(identity.device_id)
        if not colleagues:
            del self._units[identity.unit_id]
        self.stats.phones = len(self._seats)
        try:
            self.phones.disconnected(identity)
        except Exception:
            log.exception("leave_failed", device=identity.device_id)

    def later_s(self) -> float:
        """Return when one who is turned away shall come again: another time for each."""
        waiting = self.stats.sockets - self.stats.phones
        return round(self._dice(later_s(waiting)), 1)

    def begin_check(self, *, busy: bool) -> bool:
        """Take a place among the tokens being looked up; False when all are taken."""
        if self._checks >= (2 * CHECKS_MAX if busy else CHECKS_MAX):
            return False
        self._checks += 1
        return True

    def end_check(self) -> None:
        """Give the place back; once for each `begin_check` that was True."""
        self._checks -= 1

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task and keep it until it is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Outbound. -----------------------------------------------------------------------------------

    def push(self, sealed: Sequence[Sealed]) -> None:
        """Queue committed frames for the phones that are here; encoded once per mail and datum."""
        forms: dict[tuple[int, Datum], Template] = {}
        for row in sealed:
            seat = self._seats.get(row.device_id)
            if seat is None or not self._follows(seat, row.seq):
                continue
            key = id(row.mail.frame), seat.datum
            if key not in forms:
                forms[key] = self._form(row, seat.datum)
            self._deliver(seat, forms[key], row.seq)

    def _form(self, row: Sealed, datum: Datum) -> Template:
        form = template(turned(row.mail.frame, datum), row.mail.at)
        if form.decided_ms is not None:
            self.took("committed", (ms(self.phones.clock.now()) - form.decided_ms) / 1000)
        return form

    def _follows(self, seat: Seat, seq: int) -> bool:
        if seq <= seat.told:
            # The head was known before what it stands for: the welcome's state may lack this frame.
            seat.close(Close.RESYNC)
            return False
        if seat.lags or seq <= seat.queued:
            return False
        if seq == seat.queued + 1:
            return True
        self._lagging.set()
        return False

    def _deliver(self, seat: Seat, form: Template, seq: int) -> None:
        seat.queued = seq
        self.stats.reliable_out += 1
        seat.deliver(form, seq)

    def refresh(self, device_id: DeviceId, frame: ServerFrame) -> None:
        """Queue a coalesced frame (class C) in place of an older one of its type."""
        if device_id in self._seats:
            self._seats[device_id].refresh(str(frame.__struct_config__.tag), frame)

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Close every phone of a unit."""
        for device_id in tuple(self._units.get(unit_id, ())):
            self._seats[device_id].close(Close(code))

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Close one phone, if it is here."""
        seat = self._seats.get(device_id)
        if seat is not None:
            seat.close(Close(code))

    def overtaken(self, device_id: DeviceId, seq: int) -> None:
        """Ask one phone to come again whose welcome stood at this seq, or above, without it."""
        seat = self._seats.get(device_id)
        if seat is not None and seq <= seat.told:
            seat.close(Close.RESYNC)

    def resync(self) -> None:
        """Ask every phone to come again, spread over time, and take the state anew."""
        over_s = spread_s(self.stats.phones)
        for seat in tuple(self._seats.values()):
            seat.close(Close.RESYNC, over_s)

    def caught_up(self) -> None:
        """Sweep at once: a seat that lagged while it was told older news does so no more."""
        self._lagging.set()

    # What waits. ---------------------------------------------------------------------------------

    def checking(self) -> int:
        """Return how many tokens are being looked up."""
        return self._checks

    def working(self) -> int:
        """Return how many tasks run for sockets."""
        return len(self._tasks)

    def waiting(self, lane: int) -> int:
        """Return how many frames wait in the send queues: 0 answers, 1 reliable, 2 latest."""
        return sum(socket.waiting()[lane] for socket in self._writing)

    # The sweep. ----------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Hand over the rows that were committed and never pushed here."""
        self._lagging.clear()
        for seat in [s for s in self._seats.values() if not s.lags and self._behind(s)]:
            try:
                await self._catch_up(seat)
            except Exception:
                log.exception("sweep_failed", device=seat.identity.device_id)

    def _behind(self, seat: Seat) -> bool:
        return self.phones.head(seat.identity.device_id) > seat.queued

    async def _catch_up(self, seat: Seat) -> None:
        device_id = seat.identity.device_id
        head = self.phones.head(device_id)
        seat.lags = True
        try:
            rows = await self.phones.mail(device_id, seat.queued, SWEEP_ROWS)
        except (StoreAway, Temporary):
            return
        finally:
            seat.lags = False
        for row in rows:
            self._hand_over(seat, row)
        if len(rows) < SWEEP_ROWS:
            # What is not there any more was superseded or is past its end: gaps are normal.
            seat.queued = max(seat.queued, head)
        if self._behind(seat):
            self._lagging.set()

    def _hand_over(self, seat: Seat, row: Outbox) -> None:
        if self._seats.get(seat.identity.device_id) is not seat:
            return
        self.stats.swept += 1
        form = template(turned(kept(row.frame), seat.datum), row.at)
        self._deliver(seat, form, row.seq)

    # Time. ---------------------------------------------------------------------------------------

    def begin_write(self, socket: Socket) -> None:
        """Watch over the socket's sends."""
        self._writing.add(socket)

    def end_write(self, socket: Socket) -> None:
        """Watch no more: nothing is left to send."""
        self._writing.discard(socket)

    def wait(self, now: float) -> None:
        """Ask those who are due a little later: they may have spoken while we were away."""
        for socket in self._wheel.due(now):
            self._wheel.add(socket, now + HEARD_WITHIN_S)

    def tick(self, now: float) -> None:
        """Close who is silent, who has not said hello, and who does not read."""
        for socket in self._wheel.due(now):
            due_at = socket.expire(now)
            if due_at is not None:
                self._wheel.add(socket, due_at)
        for stuck in [socket for socket in self._writing if _stuck(socket, now)]:
            stuck.close(Close.SLOW_CONSUMER)

    async def run(self, every_s: float = SWEEP_EVERY_S) -> None:
        """Tick and sweep until cancelled; the sweep also runs at once when a frame is missing."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick_on(every_s))
            tasks.create_task(self._sweep_on(every_s))

    async def _tick_on(self, every_s: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            slept_at = loop.time()
            await asyncio.sleep(every_s)
            was_away = loop.time() - slept_at > every_s + AWAY_S
            (self.wait if was_away else self.tick)(loop.time())

    async def _sweep_on(self, every_s: float) -> None:
        while True:
            try:
                async with asyncio.timeout(every_s):
                    await self._lagging.wait()
            except TimeoutError:
                pass
            await self.sweep()

    async def drain(self, within_s: float) -> bool:
        """Send every phone elsewhere, spread over time; tell whether all were gone `within_s`."""
        self.draining = True
        _close_all(tuple(self._sockets), spread_s(self.stats.phones))
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True


def _stuck(socket: Socket, now: float) -> bool:
    return socket.writing_since is not None and now - socket.writing_since > SEND_WITHIN_S


def _close_all(sockets: Iterable[Socket], retry_after_s: float) -> None:
    for socket in sockets:
        socket.close(Close.DRAINING, retry_after_s)
