"""What a member says of himself, written once: on duty or not, located or not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from dispatch.core.errors import IdReuse, Unavailable
from dispatch.core.lifecycle import DUTY, Trigger, advance
from dispatch.desk import answers, consent
from dispatch.desk.desk import Desk
from dispatch.desk.whereabouts import Whereabouts
from dispatch.ports import AlreadyAnswered, Answer, DutyChange, Identity, Once, StoreAway
from schemas import wire
from schemas.unit import Duty

DUTIES: Final = {
    wire.DutyCall.ON: Duty.ON,
    wire.DutyCall.PAUSE: Duty.PAUSED,
    wire.DutyCall.OFF: Duty.OFF,
}
CLOCKS: Final = {
    Duty.ON: Trigger.CREW_ON,
    Duty.PAUSED: Trigger.CREW_PAUSED,
    Duty.OFF: Trigger.CREW_OFF,
}
TRIES: Final = 3


class Members:
    """Whom the desk may ask, and whom it may locate, as each of them says it."""

    def __init__(self, desk: Desk, whereabouts: Whereabouts) -> None:
        self._desk = desk
        self._whereabouts = whereabouts

    async def clock_in(self, identity: Identity, frame: wire.SetDuty, once: Once) -> Answer:
        """Clock a member in or out; on a call, leaving waits for the release."""
        duty = DUTIES[frame.s]
        before = self._desk.roster.duty(identity.unit_id, identity.member_id)
        if duty is not before:
            advance(DUTY, before, CLOCKS[duty])
        change = DutyChange(
            device_id=identity.device_id,
            unit_id=identity.unit_id,
            member_id=identity.member_id,
            duty=duty,
            at=self._desk.clock.now(),
        )
        answer = answers.done(frame.id, {"s": frame.s})

        async def written() -> None:
            await self._desk.store.set_duty(change, once, answer)

        told = await self._written(identity, once, answer, written)
        self._whereabouts.beside(identity, frame)
        return told

    async def consent(self, identity: Identity, frame: wire.Consent, once: Once) -> Answer:
        """Write down that a member agrees to be located, or no more; it counts at once."""
        changed = consent.change(identity, frame, self._desk.clock.now())
        answer = consent.told(frame)

        async def written() -> None:
            await self._desk.store.register_member(changed, once, answer)
            self._whereabouts.decided(identity, yes=frame.yes)

        return await self._written(identity, once, answer, written)

    async def _written(
        self, identity: Identity, once: Once, answer: Answer, written: Callable[[], Awaitable[None]]
    ) -> Answer:
        """Write what a member says of himself, once; then take his unit as the store has it."""
        for _ in range(TRIES):
            try:
                loaded = await self._desk.store.load(None, once)
                if loaded.answer is None:
                    await written()
                await self._desk.renewed([identity.unit_id])
            except AlreadyAnswered:
                continue
            except StoreAway:
                await asyncio.sleep(0)
            else:
                self._desk.poke.set()
                return _replayed(loaded.answer or answer, same=loaded.same_payload)
        raise Unavailable("the store does not answer; try again")


def _replayed(answer: Answer, *, same: bool) -> Answer:
    if not same:
        raise IdReuse("this id was used with another payload")
    return answer
