"""The unit socket without a socket: the same frames, ids and replies, one request at a time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog
from msgspec import Raw

from dispatch.core.errors import Forbidden, NotOnDuty, RateLimited, Refusal, Unavailable
from dispatch.gateway import frames
from dispatch.gateway.app_version import Oldest, too_old
from dispatch.gateway.limits import (
    LOC_BURST,
    LOC_PER_S,
    RATE_BURST,
    RATE_PER_S,
    TWIN_ROWS,
    Bucket,
)
from dispatch.gateway.phones import Phones
from dispatch.gateway.session import NO_APPS, welcome
from dispatch.ports import Identity, Outbox, StoreAway
from dispatch.trace import present
from geo.datum import Datum
from schemas import wire
from schemas.base import DeviceId, Instant, ms
from schemas.device import DeviceInbox, DeviceLocation, DeviceReplies, DeviceStored
from schemas.wire import Ack, Err, ErrorCode, Hello, Loc, Mode, Ok, Ping, Pong, ReliableFrame

log = structlog.get_logger()
Reply = Pong | Ok | Err
RETRY_MS: Final = 1000


class Budget(NamedTuple):
    """What one phone may say in a while."""

    messages: Bucket
    locs: Bucket


class Twin:
    """Answers phones over HTTP.

    Acknowledgements count in the epoch that the request names, and in no other. One above the head
    proves that rows were lost, and begins a new epoch, as it does on the socket.
    """

    def __init__(self, phones: Phones, oldest: Oldest = NO_APPS) -> None:
        self._phones = phones
        self._oldest = oldest
        self._budgets: dict[DeviceId, Budget] = {}

    async def identify(self, token: str, app: wire.App | None) -> Identity:
        """Return whose token this is.

        Raises:
            Unauthenticated: a look-up said no, or the token has ended.
            Unavailable: it could not be looked up.
            Forbidden: the app is too old (`upgrade_app`), or the unit disabled (`unit_disabled`).
        """
        if too_old(app, self._oldest):
            raise Forbidden("this app is too old", state="upgrade_app")
        identity = await self._phones.identify(token)
        barred = self._phones.barred(identity)
        if barred is not None:
            raise Forbidden("this phone may not be here now", state=barred.name.lower())
        return identity

    # Frames. -------------------------------------------------------------------------------------

    async def messages(
        self, identity: Identity, said: Sequence[Raw], datum: Datum, epoch: str | None
    ) -> DeviceReplies:
        """Answer each frame, in order; raise `Unavailable` when the outbox cannot be read."""
        replies: list[Reply] = []
        acked = 0
        for raw in said:
            message = frames.read(bytes(raw))
            if isinstance(message, Err):
                replies.append(message)
                continue
            if epoch == self._phones.epoch:
                await self._require_given(identity, message.ack or 0)
            if epoch == self._phones.epoch:
                acked = max(acked, self._acknowledge(identity, message.ack))
            replies.append(await self._reply(identity, message))
        found = await self.inbox(identity, acked, datum, epoch)
        now = self._phones.clock.now()
        return DeviceReplies(
            replies=[frames.told(reply, now) for reply in replies],
            out=found.out,
            epoch=found.epoch,
            head=found.head,
            now=found.now,
        )

    async def _require_given(self, identity: Identity, seq: int) -> None:
        """Begin a new epoch where the phone holds a row of this one that was never given."""
        if seq > self._phones.head(identity.device_id):
            await self._phones.lost(identity, seq)

    def _acknowledge(self, identity: Identity, seq: int | None) -> int:
        taken = seq is not None and self._phones.acknowledge(identity.device_id, seq)
        return seq if taken and seq is not None else 0

    async def _reply(self, identity: Identity, message: wire.ClientMessage) -> Reply:
        match message:
            case Hello():
                return Err(code=ErrorCode.INVALID, msg="hello is for the socket", path="t")
            case Loc():
                return self._located(identity, message)
            case Mode():
                self._phones.mode(identity, message)
                return Pong(now=0.0)
            case Ping() | Ack():
                return Pong(now=0.0)
            case _:
                return await self._done(identity, message)

    async def _done(self, identity: Identity, command: wire.UnitCommand) -> Reply:
        now_s = self._phones.clock.now().timestamp()
        budget = self._budget(identity, now_s).messages
        if not budget.take(now_s):
            return Err(
                code=ErrorCode.RATE_LIMITED,
                msg="too many messages",
                re=command.id,
                retry_ms=budget.wait_ms(),
            )
        try:
            return await self._phones.command(identity, command)
        except Exception:
            log.exception("command_failed", device=identity.device_id)
            return Err(
                code=ErrorCode.INTERNAL,
                msg="try again",
                re=command.id,
                retry_ms=RETRY_MS,
                tr=present() or None,
            )

    def _located(self, identity: Identity, loc: Loc) -> Reply:
        try:
            bad = self._fixes(identity, loc)
        except Refusal as refusal:
            return frames.refused(refusal)
        return Pong(now=0.0, n=len(loc.f) - len(bad), bad=bad)

    def _fixes(self, identity: Identity, loc: Loc) -> list[tuple[int, str]]:
        now_s = self._phones.clock.now().timestamp()
        if not self._budget(identity, now_s).locs.take(now_s):
            raise RateLimited("too many positions")
        return self._phones.fixes(identity, loc)

    def _budget(self, identity: Identity, now_s: float) -> Budget:
        found = self._budgets.get(identity.device_id)
        if found is None:
            found = Budget(
                Bucket(RATE_BURST, RATE_PER_S, now_s), Bucket(LOC_BURST, LOC_PER_S, now_s)
            )
            self._budgets[identity.device_id] = found
        return found

    # What there is. ------------------------------------------------------------------------------

    def state(self, identity: Identity, datum: Datum, epoch: str | None) -> wire.Welcome:
        """Return what a socket's welcome would say."""
        found = welcome(
            identity,
            datum=datum,
            epoch=self._phones.epoch,
            recovered=epoch == self._phones.epoch,
            head=self._phones.head(identity.device_id),
            state=self._phones.state(identity),
            online=self._phones.online(),
        )
        return frames.told(found, self._phones.clock.now())

    async def inbox(
        self, identity: Identity, after: int, datum: Datum, epoch: str | None
    ) -> DeviceInbox:
        """Return what is not acknowledged yet, of another epoch all; at most `TWIN_ROWS`."""
        if epoch == self._phones.epoch:
            await self._require_given(identity, after)
        known = after if epoch == self._phones.epoch else 0
        try:
            rows = await self._phones.mail(identity.device_id, known, TWIN_ROWS)
        except StoreAway as away:
            raise Unavailable("the store does not answer; try again") from away
        now = self._phones.clock.now()
        return DeviceInbox(
            out=[_frame(row, datum, now) for row in rows],
            epoch=self._phones.epoch,
            head=self._phones.head(identity.device_id),
            now=ms(now),
        )

    def location(self, identity: Identity, body: DeviceLocation) -> DeviceStored:
        """Take positions; off duty none, and that is no error: the app cannot know."""
        loc = Loc(d=body.d, ts=body.ts, f=body.f, bat=body.bat)
        try:
            bad = self._fixes(identity, loc)
        except NotOnDuty as refusal:
            return DeviceStored(stored=0, why=refusal.code)
        return DeviceStored(stored=len(loc.f) - len(bad), bad=bad)


def _frame(row: Outbox, datum: Datum, now: Instant) -> ReliableFrame:
    return frames.told(frames.turned(frames.kept(row.frame), datum), now, row.seq, row.at)
