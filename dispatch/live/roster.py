"""Who holds which phone: tokens by their hash, crews, and how far each phone's stream has come."""

from collections.abc import Iterable

from dispatch.ports import Identity
from schemas.base import DeviceId, MemberId, UnitId
from schemas.unit import Duty, Member


class Roster:
    """Phones and members in memory, so that a hello costs no query."""

    def __init__(self) -> None:
        self._by_token: dict[bytes, Identity] = {}
        self._heads: dict[DeviceId, int] = {}
        self._crews: dict[UnitId, dict[MemberId, Member]] = {}
        self._doubts: dict[DeviceId, int] = {}
        self._readings = 0

    def load(
        self, identities: Iterable[tuple[bytes, Identity]], members: Iterable[Member]
    ) -> set[DeviceId]:
        """Take all phones and crews as the store has them; return phones with no token left."""
        before, self._by_token = self._by_token, dict(identities)
        heads, self._heads = self._heads, {}
        for identity in self._by_token.values():
            device = identity.device_id
            self._heads[device] = heads.get(device, 0)
            self.found(device, identity.head)
        self._crews = {}
        for member in members:
            self._crews.setdefault(member.unit_id, {})[member.id] = member
        stayed = {i.device_id for token, i in before.items() if token in self._by_token}
        return {i.device_id for i in before.values()} - stayed

    def find(self, token_hash: bytes) -> Identity | None:
        """Return whose token this is, as far as memory knows."""
        return self._by_token.get(token_hash)

    def add(self, token_hash: bytes, identity: Identity) -> None:
        """Take a phone enrolled since the start."""
        self._by_token[token_hash] = identity
        self._heads.setdefault(identity.device_id, identity.head)

    def put_tokens(self, device_id: DeviceId, tokens: Iterable[tuple[bytes, Identity]]) -> None:
        """Take the tokens of one phone as the store now has them; all others of it are no more."""
        for token in [t for t, known in self._by_token.items() if known.device_id == device_id]:
            del self._by_token[token]
        self._by_token.update(tokens)

    def head(self, device_id: DeviceId) -> int:
        """Return the highest seq given to a phone."""
        return self._heads.get(device_id, 0)

    def sealed(self, device_id: DeviceId, seq: int) -> None:
        """Note that a phone's stream has grown by what is known here."""
        if seq > self.head(device_id) + 1:
            self._doubts[device_id] = self._readings
        self._heads[device_id] = max(seq, self.head(device_id))

    def found(self, device_id: DeviceId, seq: int) -> None:
        """Take how far a phone's stream has come in the store, by what may not be known here."""
        if seq > self.head(device_id):
            self._doubts[device_id] = self._readings
            self._heads[device_id] = seq

    # Whether what heads stand for is known. --------------------------------------------------

    def begin_reading(self) -> int:
        """Note that all that other processes did is being read; return which reading it is."""
        self._readings += 1
        return self._readings

    def end_reading(self, reading: int, heads: Iterable[tuple[DeviceId, int]] = ()) -> None:
        """Note that what was done before that reading began is known now, up to these heads."""
        self._doubts = {d: since for d, since in self._doubts.items() if since >= reading}
        for device_id, seq in heads:
            self._heads[device_id] = max(seq, self.head(device_id))

    def doubt(self, device_id: DeviceId) -> int | None:
        """Return after which reading a head came here that may stand above what is known."""
        return self._doubts.get(device_id)

    # Crews. ----------------------------------------------------------------------------------

    def crew(self, unit_id: UnitId) -> list[Member]:
        """Return the members of a unit."""
        return list(self._crews.get(unit_id, {}).values())

    def member(self, unit_id: UnitId, member_id: MemberId) -> Member | None:
        """Return one member of a unit."""
        return self._crews.get(unit_id, {}).get(member_id)

    def refusing(self) -> list[Member]:
        """Return who has not agreed to be located."""
        crews = self._crews.values()
        return [m for crew in crews for m in crew.values() if m.consent is None]

    def put(self, members: Iterable[Member]) -> None:
        """Take members as the store now has them."""
        for member in members:
            self._crews.setdefault(member.unit_id, {})[member.id] = member

    def duty(self, unit_id: UnitId, member_id: MemberId) -> Duty:
        """Return what a member has clocked."""
        member = self.member(unit_id, member_id)
        return Duty.OFF if member is None else member.duty
