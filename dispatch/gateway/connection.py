"""One socket of a phone: its session, its outbox, and tasks that live only while there is work.

The receive loop never waits for anything but the next frame. Commands and the look-up of the token
run in one task, in their order, that ends with the last of them; writing is another, that ends with
the last frame. An idle phone has neither.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog

from dispatch.core.errors import Refusal
from dispatch.gateway.app_version import Oldest
from dispatch.gateway.check import TurnedAway, check, held_by
from dispatch.gateway.frames import Template, template, written
from dispatch.gateway.hub import Hub
from dispatch.gateway.limits import BREATH_FRAMES, PART_WITHIN_S, Porch
from dispatch.gateway.missed import replay
from dispatch.gateway.outbox import Outbox, Row
from dispatch.gateway.phones import Phones
from dispatch.gateway.protocol import Line
from dispatch.gateway.session import (
    NO_APPS,
    Acked,
    Actions,
    Do,
    Identify,
    Moded,
    Part,
    Phase,
    Quiet,
    Send,
    Session,
    Store,
)
from dispatch.ports import Identity
from dispatch.trace import present, traced
from geo.datum import Datum
from schemas import wire
from schemas.base import Instant, ms
from schemas.wire import Close, Err, ErrorCode, Hello, Loc, Ok, Refresh, ServerFrame, UnitCommand

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Say = Callable[[Message], Awaitable[None]]
Work = Do | Identify

log = structlog.get_logger()
UNHEARD_MOST: Final = 16
"""Offers of one socket whose acknowledgement is timed; the oldest are given up."""
_NONE: Final[dict[int, float]] = {}
"""Never written to: most phones have no offer."""
_GONE: Final = (OSError, RuntimeError)
"""What `send` raises when the peer is gone: OSError by ASGI 2.4; RuntimeError by uvicorn, for the
moment in which it has closed the socket by itself."""


class Connection:
    """Carries out what the session says, and writes what the outbox holds."""

    __slots__ = (
        "_address",
        "_asked_at",
        "_at_door",
        "_gone",
        "_hub",
        "_known",
        "_line",
        "_loop",
        "_outbox",
        "_part_within_s",
        "_parting",
        "_phones",
        "_porch",
        "_receive",
        "_say",
        "_session",
        "_task",
        "_told_above_head",
        "_unheard",
        "_work",
        "_worker",
        "_writer",
        "datum",
        "identity",
        "inst",
        "lags",
        "queued",
        "told",
        "writing_since",
    )
    identity: Identity
    inst: str
    datum: Datum

    def __init__(
        self,
        phones: Phones,
        hub: Hub,
        receive: Receive,
        say: Say,
        *,
        porch: Porch,
        address: str,
        part_within_s: float = PART_WITHIN_S,
        line: Line | None = None,
        oldest: Oldest = NO_APPS,
    ) -> None:
        self.told = self.queued = 0
        self.lags = False
        self.writing_since: float | None = None
        self._phones, self._hub = phones, hub
        self._receive, self._say = receive, say
        self._porch, self._address = porch, address
        self._part_within_s, self._line = part_within_s, line
        self._at_door = True
        self._known = self._told_above_head = False
        self._gone = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._session = Session(self._loop.time(), oldest)
        self._asked_at = self._session.due_at
        self._outbox = Outbox()
        self._unheard = _NONE
        self._work: list[Work] = []
        self._worker: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._parting: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Listen until the socket is closed, by either side. Our faults close this one only."""
        self._hub.watch(self, self._asked_at)
        self._hear_by(self._hear_at_once)
        try:
            await self._listen()
        except asyncio.CancelledError:
            if not self._gone:
                raise
        except Exception:
            log.exception("socket_failed")
            self.close(Close.INTERNAL)
        finally:
            await self._end()

    async def _listen(self) -> None:
        taken = 0
        while (message := await self._receive())["type"] == "websocket.receive":
            taken += 1
            text = message.get("text")
            self._hear(b"" if text is None else text)
            if taken % BREATH_FRAMES == 0:
                # What lies in the server's queue is handed over without a pause: let others run.
                await asyncio.sleep(0)

    def _hear(self, frame: str | bytes) -> None:
        self._hub.stats.frames_in += 1
        self._act(self._session.receive(frame, self._loop.time()))

    def _hear_at_once(self, text: str) -> None:
        """Take a frame outside the receive loop, in the turn in which it came."""
        try:
            self._hear(text)
        except Exception:
            log.exception("socket_failed")
            self.close(Close.INTERNAL)

    def _hear_by(self, hear: Callable[[str], None] | None) -> None:
        if self._line is not None:
            self._line.hear_by(hear)

    async def _end(self) -> None:
        self._task = None
        self._hear_by(None)
        if self._parting is not None:
            await asyncio.wait({self._parting})
        self._gone = True
        self._session.hang_up()
        self._leave_door()
        if self._known:
            self._hub.leave(self)
        self._hub.forget(self)

    def _leave_door(self) -> None:
        if self._at_door:
            self._at_door = False
            self._porch.leave(self._address)

    # What the session says. ----------------------------------------------------------------------

    def _act(self, actions: Actions) -> None:
        for action in actions:
            match action:
                case Store(loc):
                    self._store(loc)
                case Send(frame):
                    self._answer(frame)
                case Acked(seq):
                    self._acknowledge(seq)
                case Do() | Identify():
                    self._soon(action)
                case Quiet(quiet):
                    self._phones.quiet(self.identity, quiet=quiet)
                    self._hurry()
                case Moded(mode):
                    self._phones.mode(self.identity, mode)
                    self._hurry()
                case Part():
                    self._close(action)

    def _store(self, loc: Loc) -> None:
        try:
            bad = self._phones.fixes(self.identity, loc)
        except Refusal as refusal:
            self._act((self._session.refused(refusal),))
        else:
            self._act(self._session.stored(loc, bad))

    def _acknowledge(self, seq: int) -> None:
        if self._phones.acknowledge(self.identity.device_id, seq):
            self._session.acknowledged(seq)
            if self._unheard:
                self._heard_offers(seq)
            return
        self._hub.stats.acks_ignored += 1
        if not self._told_above_head:
            # Every further frame of such a phone says the same: one line for each socket.
            self._told_above_head = True
            log.warning("ack_above_head", device=self.identity.device_id, seq=seq)

    def _heard_offers(self, seq: int) -> None:
        now_ms = ms(self._phones.clock.now())
        for heard in [s for s in self._unheard if s <= seq]:
            self._hub.took("acked", (now_ms - self._unheard[heard]) / 1000)
        self._unheard = {s: at for s, at in self._unheard.items() if s > seq}

    def waiting(self) -> tuple[int, int, int]:
        """Return how much waits to be written: answers, reliable frames, latest ones."""
        return self._outbox.lengths()

    # Work, in order. -----------------------------------------------------------------------------

    def _soon(self, work: Work) -> None:
        self._work.append(work)
        if self._worker is None:
            self._worker = self._hub.spawn(self._carry_out())

    async def _carry_out(self) -> None:
        try:
            while self._work:
                with traced(self._phones.clock.new_trace()):
                    await self._carry_out_one(self._work.pop(0))
        finally:
            self._worker = None

    async def _carry_out_one(self, work: Work) -> None:
        match work:
            case Do(command):
                reply = await self._reply(command)
                if isinstance(command, Refresh) and isinstance(reply, Ok):
                    self._token_ends(reply.result["till"])
                self._act((self._session.answered(reply),))
            case Identify(hello):
                await self._identify(hello)

    async def _reply(self, command: UnitCommand) -> Ok | Err:
        """Return the desk's answer; a fault of ours is answered too, or the phone would wait."""
        try:
            return await self._phones.command(self.identity, command)
        except Exception:
            log.exception("command_failed", device=self.identity.device_id)
            return Err(
                code=ErrorCode.INTERNAL,
                msg="try again",
                re=command.id,
                retry_ms=1000,
                tr=present() or None,
            )

    async def _identify(self, hello: Hello) -> None:
        try:
            self._welcome(hello, await check(self._phones, self._hub, hello))
        except TurnedAway as away:
            self.close(away.code, away.later_s)
        except Exception:
            log.exception("hello_failed")
            self.close(Close.INTERNAL)

    def _welcome(self, hello: Hello, identity: Identity) -> None:
        """Take the seat, then tell the truth: whatever is pushed from here on comes after it."""
        if self._session.phase is Phase.OVER:
            return
        self._leave_door()
        self.identity, self.inst, self.datum = identity, hello.inst, hello.datum
        self._known = True
        self.told = self.queued = head = self._phones.head(identity.device_id)
        self._hub.enter(self)
        if hello.push is not None:
            self._phones.push_address(identity, hello.push)
        if identity.expires_at is not None:
            self._token_ends(ms(identity.expires_at))
        till = self._phones.notices_till(identity.device_id)
        held = held_by(hello, self._phones.epoch)
        self.lags = till > held
        self._act(
            self._session.welcome(
                hello,
                identity,
                epoch=self._phones.epoch,
                head=head,
                state=self._phones.state(identity),
                online=self._phones.online(),
                till=till if self.lags else None,
            )
        )
        self._hurry()
        if self.lags:
            self._hub.spawn(replay(self._phones, self._hub, self, held))

    def _token_ends(self, at_ms: float) -> None:
        left_s = (at_ms - ms(self._phones.clock.now())) / 1000
        self._session.token_ends(self._loop.time() + left_s)

    # Writing. ------------------------------------------------------------------------------------

    @property
    def listens(self) -> bool:
        """Whether what is handed over may still be written."""
        return not self._gone and self._parting is None

    async def until_written(self) -> None:
        """Wait until nothing is being written."""
        if self._writer is not None:
            await asyncio.wait({self._writer})

    def deliver(self, form: Template, seq: int) -> None:
        """Queue a reliable frame; a full queue closes the socket. Never waits."""
        self._queued(took=self._outbox.deliver(form, seq))

    def refresh(self, key: str, frame: ServerFrame) -> None:
        """Queue a frame in place of the one that waits under `key`. Never waits."""
        if isinstance(frame, wire.Policy):
            self._session.pace(frame)
            self._hurry()
        self._queued(took=self._outbox.refresh(key, template(frame)), may_change=True)

    def _answer(self, frame: ServerFrame) -> None:
        if self._parting is not None:
            return
        if isinstance(frame, Err):
            self._hub.stats.errors[frame.code] += 1
        self._queued(took=self._outbox.answer(template(frame)))

    def _queued(self, *, took: bool, may_change: bool = False) -> None:
        """Write what was queued: at once, unless it may be replaced in this turn of the loop."""
        if not took:
            self.close(Close.SLOW_CONSUMER)
        elif self._writer is None and not self._gone and (may_change or not self._write_at_once()):
            self._hub.begin_write(self)
            self._writer = self._hub.spawn(self._write())

    def _write_at_once(self) -> bool:
        """Write what waits; False where the socket does not take all of it now."""
        if self._line is None:
            return False
        while self._line.takes() and (row := self._outbox.pop()) is not None:
            now = self._phones.clock.now()
            self._line.write(written(row.form, row.seq, now))
            self._wrote(row, now)
        return not self._outbox

    def _wrote(self, row: Row, now: Instant) -> None:
        self._hub.stats.frames_out += 1
        if row.form.decided_ms is None or row.seq is None:
            return
        self._hub.took("written", (ms(now) - row.form.decided_ms) / 1000)
        self._unheard = {
            **dict(list(self._unheard.items())[1 - UNHEARD_MOST :]),
            row.seq: row.form.decided_ms,
        }

    async def _write(self) -> None:
        try:
            while (row := self._outbox.pop()) is not None:
                self.writing_since = self._loop.time()
                text = written(row.form, row.seq, self._phones.clock.now())
                await self._say({"type": "websocket.send", "text": text})
                self.writing_since = None
                self._wrote(row, self._phones.clock.now())
        except _GONE:
            self._gone = True
        finally:
            self.writing_since = self._writer = None
            self._hub.end_write(self)

    # The end. ------------------------------------------------------------------------------------

    def expire(self, now: float) -> float | None:
        """Close what is overdue; return when to ask again.

        None when it is over, or when it has been asked, or will be, at another time in place of
        this one.
        """
        if now < self._asked_at:
            return None
        due = self._session.expire(now)
        if due is not None:
            self._act((due,))
        self._asked_at = self._session.due_at
        return None if self._session.phase is Phase.OVER else self._asked_at

    def _hurry(self) -> None:
        """Be asked sooner, where that has become due."""
        due_at = self._session.due_at
        if due_at < self._asked_at and self._session.phase is not Phase.OVER:
            self._asked_at = due_at
            self._hub.hurry(self, due_at)

    def close(self, code: Close, retry_after_s: float | None = None) -> None:
        """Write what waits, then close. Never waits."""
        self._close(self._session.part(code, retry_after_s))

    def _close(self, part: Part) -> None:
        if self._parting is not None:
            return
        self._hub.stats.closes[part.code] += 1
        if self._known:
            self._hub.leave(self)
        self._parting = self._hub.spawn(self._part(part))

    async def _part(self, part: Part) -> None:
        """Say goodbye; drop a phone that does not read on."""
        if part.code is Close.SLOW_CONSUMER and self.writing_since is not None:
            self._drop()
            return
        try:
            async with asyncio.timeout(self._part_within_s):
                await self.until_written()
                await self._say(farewell(part))
        except TimeoutError:
            self._drop()
        except _GONE:
            self._gone = True

    def _drop(self) -> None:
        self._gone = True
        if self._line is not None:
            self._line.abort()
        elif self._task is not None:
            self._task.cancel()


def farewell(part: Part) -> Message:
    """Return the ASGI message of a close; its reason tells the client's code what to do."""
    reason = f'{{"r":"{part.code.name.lower()}","ra":{part.retry_after_s:g}}}'
    return {"type": "websocket.close", "code": int(part.code), "reason": reason}
