"""Commands of phones: carried out once, and answered the same however often they are sent."""

from hashlib import sha256
from typing import Final

import msgspec
import structlog

from dispatch.core.errors import IdReuse, Invalid, NotFound, Refusal, Temporary, Unavailable
from dispatch.desk import answers
from dispatch.desk.calls import Calls
from dispatch.desk.desk import Desk
from dispatch.desk.meaning import actor, meaning
from dispatch.desk.members import Members
from dispatch.desk.presence import Presence
from dispatch.desk.tokens import Tokens
from dispatch.desk.whereabouts import Whereabouts
from dispatch.ports import Answer, Identity, Once, StoreAway
from schemas import wire
from schemas.base import AssignmentId, IncidentId, MemberId, OfferId

log = structlog.get_logger()

_reply: Final[msgspec.json.Decoder[wire.Ok | wire.Err]] = msgspec.json.Decoder(wire.Ok | wire.Err)


class Commands:
    """What phones ask the desk to do."""

    def __init__(
        self, desk: Desk, tokens: Tokens, presence: Presence, whereabouts: Whereabouts
    ) -> None:
        self._desk = desk
        self._tokens = tokens
        self._whereabouts = whereabouts
        self._calls = Calls(desk, presence, whereabouts)
        self._members = Members(desk, whereabouts)

    async def carry_out(self, identity: Identity, frame: wire.UnitCommand) -> wire.Ok | wire.Err:
        """Carry out a command once, and answer it; the same id hears the same answer."""
        if isinstance(frame, wire.Refresh):
            return await self._refresh(identity, frame)
        once = Once(scope=f"device:{identity.device_id}", id=frame.id, digest=_digest(frame))
        if not isinstance(frame, wire.SetDuty):
            # An answer is judged by where it is given; who clocks on is located from then on.
            self._whereabouts.beside(identity, frame)
        try:
            answer = await self._answer(identity, frame, once)
        except Temporary as refusal:
            return answers.err(frame.id, refusal)
        except IdReuse as refusal:
            return answers.err(frame.id, refusal)
        except Refusal as refusal:
            return await self._remembered(once, answers.err(frame.id, refusal))
        return _reply.decode(answer.body)

    async def _refresh(self, identity: Identity, frame: wire.Refresh) -> wire.Ok | wire.Err:
        try:
            return await self._tokens.refresh(identity, frame)
        except Refusal as refusal:
            return answers.err(frame.id, refusal)

    async def _answer(self, identity: Identity, frame: wire.UnitCommand, once: Once) -> Answer:
        if isinstance(frame, wire.SetDuty):
            return await self._members.clock_in(identity, frame, once)
        if isinstance(frame, wire.Consent):
            return await self._members.consent(identity, frame, once)
        if isinstance(frame, wire.NoticeRead):
            return await self._desk.notices.read(identity, frame, once)
        if isinstance(frame, wire.Report | wire.Sos):
            return await self._calls.open(identity, frame, once)
        if isinstance(frame, wire.OfferReply):
            self._require_crew(identity, frame)
        incident_id = await self._incident_of(frame)
        outcome = await self._desk.carry_out(
            incident_id,
            meaning(identity, frame),
            actor(identity),
            once,
            lambda decision: answers.to_phone(frame.id, decision),
        )
        return outcome.answer

    def _require_crew(self, identity: Identity, frame: wire.OfferReply) -> None:
        for member_id in frame.crew or ():
            if self._desk.roster.member(identity.unit_id, MemberId(member_id)) is None:
                raise Invalid("no such member of this unit", path="crew")

    async def _incident_of(self, frame: wire.UnitCommand) -> IncidentId:
        """Find the incident an offer or assignment belongs to: in memory, else on disk."""
        oid = OfferId(getattr(frame, "oid", ""))
        aid = AssignmentId(getattr(frame, "aid", ""))
        board = self._desk.board
        known = board.incident_of_offer(oid) if oid else board.incident_of_task(aid)
        if known is None:
            known = await self._look_up(oid, aid)
        if known is None:
            raise NotFound("no such offer or assignment", path="oid" if oid else "aid")
        return known

    async def _look_up(self, oid: OfferId, aid: AssignmentId) -> IncidentId | None:
        try:
            return await self._desk.store.incident_of(offer=oid, assignment=aid)
        except StoreAway as away:
            raise Unavailable("the store does not answer; try again") from away

    async def _remembered(self, once: Once, err: wire.Err) -> wire.Ok | wire.Err:
        """Keep a lasting refusal, so that a retry of the same id hears it again.

        What was refused before anybody asked for an earlier answer hears that one: what a retry is
        told depends on nothing that has changed since.
        """
        kept = Answer(status=answers.REFUSED, body=msgspec.Raw(msgspec.json.encode(err)))
        try:
            await self._desk.store.remember(once, kept, self._desk.clock.now())
            loaded = await self._desk.store.load(None, once)
        except StoreAway:
            log.warning("refusal_not_kept", code=err.code)
            return err
        if not loaded.same_payload:
            return answers.err(once.id, IdReuse("this id was used with another payload"))
        return _reply.decode((loaded.answer or kept).body)


def _digest(frame: wire.UnitCommand) -> bytes:
    """Return the SHA-256 of a command, but for what may differ in a retry: `ack`, and `ts`."""
    passing: dict[str, None] = {"ack": None}
    if isinstance(frame, wire.Placed):
        passing["ts"] = None
    return sha256(msgspec.json.encode(msgspec.structs.replace(frame, **passing))).digest()
