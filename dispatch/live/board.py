"""The cases that are not over, as last committed, and what they mean for each unit."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from dispatch.core.lifecycle import ENDED, OPEN_OFFER, OVER
from schemas.base import AssignmentId, IncidentId, OfferId, UnitId
from schemas.incident import Assignment, Case, Incident, Offer, OfferState

OVER_MOST: Final = 1000
"""Cases that are over whose version is remembered: word of an earlier one may come later."""


class Board:
    """Cases by incident, found again by offer, assignment and unit."""

    def __init__(self) -> None:
        self._cases: dict[IncidentId, Case] = {}
        self._of_offer: dict[OfferId, IncidentId] = {}
        self._of_task: dict[AssignmentId, IncidentId] = {}
        self._of_unit: dict[UnitId, set[IncidentId]] = {}
        self._over: OrderedDict[IncidentId, int] = OrderedDict()

    def __len__(self) -> int:
        """Return how many cases are not over."""
        return len(self._cases)

    def load(self, cases: Iterable[Case]) -> None:
        """Take the store's cases for all there is."""
        self.__init__()  # type: ignore[misc]  # starting over is what loading means
        for case in cases:
            self.put(case)

    def put(self, case: Case) -> bool:
        """Take a committed case, unless a later version is known; say whether this one is new."""
        before, version = self.version(case.incident.id), case.incident.version
        if before > version:
            return False
        self._forget(self._cases.get(case.incident.id))
        if case.incident.status in OVER:
            self._end(case.incident)
        else:
            self._remember(case)
        return version > before

    def case(self, incident_id: IncidentId) -> Case | None:
        """Return a case that is not over."""
        return self._cases.get(incident_id)

    def incident_of_offer(self, offer_id: OfferId) -> IncidentId | None:
        """Return the incident of an offer, while its case is not over."""
        return self._of_offer.get(offer_id)

    def incident_of_task(self, task_id: AssignmentId) -> IncidentId | None:
        """Return the incident of an assignment, while its case is not over."""
        return self._of_task.get(task_id)

    def offers_to(self, unit_id: UnitId) -> list[tuple[Incident, Offer]]:
        """Return the offers a unit may still answer, with their incidents."""
        return [
            (case.incident, offer)
            for case in self._cases_of(unit_id)
            for offer in case.offers
            if offer.unit_id == unit_id and offer.state in OPEN_OFFER
        ]

    def tasks_of(self, unit_id: UnitId) -> list[tuple[Incident, Assignment]]:
        """Return a unit's assignments that have not ended, with their incidents."""
        return [
            (case.incident, task)
            for case in self._cases_of(unit_id)
            for task in case.assignments
            if task.unit_id == unit_id and task.state not in ENDED
        ]

    def ringing(self, unit_id: UnitId) -> int:
        """Return how many offers ring at a unit."""
        return sum(offer.state is OfferState.OPEN for _, offer in self.offers_to(unit_id))

    def versions(self) -> dict[IncidentId, int]:
        """Return the version of every case that is not over."""
        return {i: case.incident.version for i, case in self._cases.items()}

    def version(self, incident_id: IncidentId) -> int:
        """Return the last version that is known of a case, over or not; 0 of one never heard of."""
        known = self._cases.get(incident_id)
        return known.incident.version if known else self._over.get(incident_id, 0)

    def units(self, incident_id: IncidentId) -> set[UnitId]:
        """Return the units that are asked or sent, while the case is not over."""
        case = self._cases.get(incident_id)
        return _units(case) if case else set()

    def waiting(self) -> list[IncidentId]:
        """Return the incidents short of units, oldest first."""
        return sorted(i for i, case in self._cases.items() if case.incident.shortfall)

    def _end(self, incident: Incident) -> None:
        self._over[incident.id] = incident.version
        self._over.move_to_end(incident.id)
        if len(self._over) > OVER_MOST:
            self._over.popitem(last=False)

    def _cases_of(self, unit_id: UnitId) -> list[Case]:
        known = self._of_unit.get(unit_id)  # asked for with every fix, and mostly there is none
        return [self._cases[i] for i in sorted(known)] if known else []

    def _remember(self, case: Case) -> None:
        incident_id = case.incident.id
        self._over.pop(incident_id, None)
        self._cases[incident_id] = case
        self._of_offer.update((offer.id, incident_id) for offer in case.offers)
        self._of_task.update((task.id, incident_id) for task in case.assignments)
        for unit_id in _units(case):
            self._of_unit.setdefault(unit_id, set()).add(incident_id)

    def _forget(self, case: Case | None) -> None:
        if case is None:
            return
        del self._cases[case.incident.id]
        for offer in case.offers:
            del self._of_offer[offer.id]
        for task in case.assignments:
            del self._of_task[task.id]
        for unit_id in _units(case):
            self._of_unit[unit_id].discard(case.incident.id)
            if not self._of_unit[unit_id]:
                del self._of_unit[unit_id]


def _units(case: Case) -> set[UnitId]:
    """Return the units that are asked or sent, not those that once were."""
    asked = {offer.unit_id for offer in case.offers if offer.state in OPEN_OFFER}
    return asked | {task.unit_id for task in case.assignments if task.state not in ENDED}
