"""Where phones are, by three processes that tell each other: every count is of phones there are."""

from collections import Counter
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dispatch.desk import words
from dispatch.desk.presence import Presence
from dispatch.ports import NodeId
from schemas import wire
from schemas.base import DeviceId
from schemas.wire import Activity
from tests.machines.office import Office

PLACES: Final = range(3)
DEVICES: Final = ("d1a", "d1b", "d2a")
Word = tuple[list[words.Phone], list[DeviceId]]


class Lane:
    """Closes a socket at once."""

    def __init__(self, holding: "Holding", place: int) -> None:
        self._holding, self._place = holding, place

    def replaced(self, device_id: DeviceId, inst: str) -> None:
        """Let the phone go from here."""
        self._holding.disconnect(self._place, device_id)

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Let the phone go from here."""
        self._holding.disconnect(self._place, device_id)

    def close_unit(self, unit_id: str, code: int) -> None:
        """Close nothing."""

    def overtaken(self, device_id: DeviceId, seq: int) -> None:
        """Leave it."""

    def refresh(self, device_id: DeviceId, frame: wire.ServerFrame) -> None:
        """Say nothing."""

    def resync(self) -> None:
        """Ask nobody."""


class Holding(RuleBasedStateMachine):
    """Phones come, fall silent, move and leave; words take their time, and some are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.offices = [Office() for _ in PLACES]
        self.under_way: dict[tuple[int, int], list[Word]] = {
            (a, b): [] for a in PLACES for b in PLACES if a != b
        }
        for place in PLACES:
            self.presence(place).speak_through(Lane(self, place))

    def teardown(self) -> None:
        """Let all words come, ask everybody, and find all processes of one mind."""
        for link in self.under_way:
            self.tell(link[0])
            self.hear_all(link)
        for _ in PLACES:
            for link in self.under_way:
                self.ask(link)
            for place in PLACES:
                self.tell(place)
            for link in self.under_way:
                self.hear_all(link)
        pairs = [(place, d) for place in PLACES for d in DEVICES]
        held = Counter(d for place, d in pairs if self.presence(place).has(DeviceId(d)))
        assert all(n == 1 for n in held.values())
        for place in PLACES:
            known = {d for d in DEVICES if self.presence(place).activity(DeviceId(d))}
            assert known == held.keys()
        for office in self.offices:
            office.close()

    def presence(self, place: int) -> Presence:
        """Return what a process knows of phones."""
        return self.offices[place].phones.presence

    @rule(place=st.sampled_from(PLACES), device=st.sampled_from(DEVICES))
    def connect(self, place: int, device: str) -> None:
        """Let a phone say hello, a moment after whatever was before."""
        for office in self.offices:
            office.clock.advance(0.001)
        self.disconnect(place, device)
        office = self.offices[place]
        office.phones.connected(office.phone(device))

    @rule(place=st.sampled_from(PLACES), device=st.sampled_from(DEVICES))
    def disconnect(self, place: int, device: str) -> None:
        """Let a phone leave a process, where it is there."""
        if self.presence(place).has(DeviceId(device)):
            office = self.offices[place]
            office.phones.disconnected(office.phone(device))

    @rule(
        place=st.sampled_from(PLACES),
        device=st.sampled_from(DEVICES),
        quiet=st.booleans(),
        activity=st.sampled_from(Activity),
    )
    def change(self, place: int, device: str, activity: Activity, *, quiet: bool) -> None:
        """Let a phone fall silent, be heard again, or sleep."""
        if self.presence(place).has(DeviceId(device)):
            identity = self.offices[place].phone(device)
            self.presence(place).quiet(identity, quiet=quiet)
            self.presence(place).mode(identity, wire.Mode(m=activity))

    @rule(place=st.sampled_from(PLACES))
    def tell(self, place: int) -> None:
        """Say to the others what is new."""
        word = self.presence(place).news()
        for (said_by, _), waiting in self.under_way.items():
            if said_by == place:
                waiting.append(word)

    @rule(link=st.sampled_from([(a, b) for a in PLACES for b in PLACES if a != b]))
    def hear_all(self, link: tuple[int, int]) -> None:
        """Let one process hear what another has said."""
        said_by, heard_by = link
        waiting, self.under_way[link] = self.under_way[link], []
        for phones, gone in waiting:
            for phone in phones:
                self.presence(heard_by).held_elsewhere(_node(said_by), phone)
            for device_id in gone:
                self.presence(heard_by).left_elsewhere(_node(said_by), device_id)

    @rule(link=st.sampled_from([(a, b) for a in PLACES for b in PLACES if a != b]))
    def lose(self, link: tuple[int, int]) -> None:
        """Lose what is under way."""
        self.under_way[link].clear()

    @rule(link=st.sampled_from([(a, b) for a in PLACES for b in PLACES if a != b]))
    def ask(self, link: tuple[int, int]) -> None:
        """Let one process take all that another holds; what was said before has come."""
        self.hear_all(link)
        asked, asker = link
        self.presence(asker).all_elsewhere(_node(asked), self.presence(asked).held(None, 99))

    @rule(place=st.sampled_from(PLACES), of=st.sampled_from(PLACES))
    def end(self, place: int, of: int) -> None:
        """Let a process take another for dead."""
        if place != of:
            self.presence(place).all_elsewhere(_node(of), ())

    @rule(place=st.sampled_from(PLACES))
    def read(self, place: int) -> None:
        """Read the register anew."""
        office = self.offices[place]
        office.run(office.desk.read_registered())

    @invariant()
    def counts(self) -> None:
        """Each unit counts the phones that are here and those that others were heard to hold."""
        for office, place in zip(self.offices, PLACES, strict=True):
            presence = self.presence(place)
            known = [office.phone(d) for d in DEVICES if presence.activity(DeviceId(d))]
            online = Counter(identity.unit_id for identity in known)
            fleet = office.desk.fleet
            for unit in fleet:
                row = fleet.row(unit.id)
                cells = fleet._links.table.row(row)  # type: ignore[arg-type]  # it is known
                assert cells["online"] == online[unit.id]
                assert 0 <= cells["quiet"] <= cells["online"]


def _node(place: int) -> NodeId:
    return NodeId(f"n{place}")


TestHolding = Holding.TestCase
TestHolding.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
