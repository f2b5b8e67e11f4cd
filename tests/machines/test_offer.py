"""An offer is answered, lapses or ends as its table lets it, whoever answers and however late."""

from datetime import timedelta
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from dispatch.core import commands as c
from dispatch.core.events import Event
from dispatch.core.lifecycle import OFFER, OVER, Trigger
from schemas import wire
from schemas.base import ms
from schemas.incident import Offer, OfferState
from tests.machines.machine import Repeating, picks
from tests.machines.office import Reply, refused_for_nothing

PULLED: Final = {wire.Answer.ACCEPT: Trigger.ACCEPT, wire.Answer.DECLINE: Trigger.DECLINE}
ENDS: Final = {
    OfferState.TAKEN: "taken",
    OfferState.EXPIRED: "expired",
    OfferState.WITHDRAWN: "withdrawn",
    OfferState.CANCELLED: "cancelled",
}
"""What who answers too late is told; of any other end: conflict."""
WRITTEN: Final = {
    OfferState.LAPSED: Event.LAPSED,
    OfferState.ACCEPTED: Event.ACCEPTED,
    OfferState.DECLINED: Event.DECLINED,
    OfferState.TAKEN: Event.TAKEN,
    OfferState.EXPIRED: Event.EXPIRED,
    OfferState.WITHDRAWN: Event.WITHDRAWN,
    OfferState.CANCELLED: Event.OFFER_CANCELLED,
}


class Offers(Repeating):
    """Two incidents that ask the same units."""

    def __init__(self) -> None:
        """Begin before the calls."""
        super().__init__()
        self.known: dict[str, OfferState] = {}

    @initialize()
    def call(self) -> None:
        """Two people call about two things."""
        self.incidents = [self.office.call(priority=2), self.office.call(priority=3)]
        self.office.pass_by(20)

    @precondition(lambda self: any(self._over(i) for i in self.incidents))
    @rule()
    def call_again(self) -> None:
        """Something else happens, where one is over."""
        self.incidents = [i if not self._over(i) else self.office.call() for i in self.incidents]

    @rule(pick=picks, phone=st.sampled_from("ab"), answer=st.sampled_from(wire.Answer))
    def reply(self, pick: int, phone: str, answer: wire.Answer) -> None:
        """One of a unit's two phones answers, whether it was asked just now or long ago."""
        if not (offer := self._pick(pick)):
            return
        frame = wire.OfferReply(
            id=self.office.clock.new_id(),
            oid=offer.id,
            rev=1,
            at=ms(self.office.clock.now()),
            r=answer,
        )
        reply = self.office.say(f"d{offer.unit_id[1]}{phone}", frame)
        self._judge(offer, PULLED[answer], reply)

    @rule(pick=picks, trigger=st.sampled_from([Trigger.ACCEPT, Trigger.DECLINE, Trigger.WITHDRAW]))
    def on_behalf(self, pick: int, trigger: Trigger) -> None:
        """A person at the desk writes down an answer, or calls the offer back."""
        if not (offer := self._pick(pick)):
            return
        now = self.office.clock.now()
        commands: dict[Trigger, c.Command] = {
            Trigger.ACCEPT: c.Accept(unit_id=offer.unit_id, offer_id=offer.id, at=now),
            Trigger.DECLINE: c.Decline(unit_id=offer.unit_id, offer_id=offer.id),
            Trigger.WITHDRAW: c.WithdrawOffer(offer_id=offer.id, why="x"),
        }
        self._judge(offer, trigger, self.office.act(offer.incident_id, commands[trigger]))

    @rule(pick=picks)
    def stale(self, pick: int) -> None:
        """What was tapped more than 90 s ago is not meant any more, and writes nothing."""
        if not (offer := self._pick(pick)):
            return
        long_ago = self.office.clock.now() - timedelta(seconds=91)
        yes = c.Accept(unit_id=offer.unit_id, offer_id=offer.id, at=long_ago)
        assert refused_for_nothing(self.office.act(offer.incident_id, yes))

    @rule(pick=picks)
    def see(self, pick: int) -> None:
        """A human looks: the first time is written down, and no other."""
        if not (offer := self._pick(pick)):
            return
        frame = wire.OfferSeen(id=self.office.clock.new_id(), oid=offer.id)
        assert self.office.say(f"d{offer.unit_id[1]}a", frame).refused is None
        assert self._written(offer, Event.SEEN) == 1

    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        """Now and then it was nothing."""
        if which < len(self.incidents) and not self._over(self.incidents[which]):
            self.office.act(self.incidents[which], c.Cancel(why="x"))

    @rule(seconds=st.sampled_from([0, 5, 20, 20, 60, 302]))
    def wait(self, seconds: int) -> None:
        """Time passes, and clocks come."""
        self.office.pass_by(seconds)

    @invariant()
    def each_offer_walks_its_table(self) -> None:
        """What ended stays as it is, and the log tells of each end once."""
        for offer in self.office.store._offers.values():
            was = self.known.get(offer.id, OfferState.OPEN)
            steps = set(OFFER[was].values())
            steps |= {end for step in steps for end in OFFER[step].values()}
            assert offer.state is was or offer.state in steps
            self.known[offer.id] = offer.state
            if offer.state in WRITTEN:
                assert self._written(offer, WRITTEN[offer.state]) == 1

    @invariant()
    def memory_follows(self) -> None:
        """What people are shown is what is on disk."""
        self.office.check_memory()

    def _judge(self, offer: Offer, trigger: Trigger, reply: Reply) -> None:
        """Hold an answer against the table."""
        if trigger not in OFFER[offer.state]:
            assert refused_for_nothing(reply)
            assert reply.refused == ENDS.get(offer.state, "conflict")
            return
        after = self.office.store._offers[offer.id].state
        tasks = [t for t in self.office.store._tasks.values() if t.offer_id == offer.id]
        if reply.refused is None:
            assert after is OFFER[offer.state][trigger]
            assert len(tasks) == (trigger is Trigger.ACCEPT)
            return
        assert trigger is Trigger.ACCEPT
        assert not tasks
        if reply.refused == "taken":
            assert after is OfferState.TAKEN
        else:
            assert offer.unit_id in self.office.store._active
            assert refused_for_nothing(reply)

    def _pick(self, pick: int) -> Offer | None:
        offers = list(self.office.store._offers.values())
        return offers[-1 - pick % len(offers)] if offers else None

    def _written(self, offer: Offer, kind: Event) -> int:
        log = self.office.log(offer.incident_id, kind)
        return sum(entry.data["offer"] == offer.id for entry in log)

    def _over(self, incident_id: str) -> bool:
        return self.office.store._incidents[incident_id].status in OVER  # type: ignore[index]  # its id


TestOffers = Offers.TestCase
TestOffers.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
