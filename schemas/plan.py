"""Response plans: what a kind of incident at a priority needs, and how the response widens."""

from enum import StrEnum

from schemas.base import Record
from schemas.unit import Capability


class IncidentKind(StrEnum):
    """The kinds a response plan is written for."""

    WATER_RESCUE = "water_rescue"
    CARDIAC_ARREST = "cardiac_arrest"
    INJURY = "injury"
    ILLNESS = "illness"
    FIRE = "fire"
    TRAFFIC = "traffic"
    VIOLENCE = "violence"
    DISTURBANCE = "disturbance"
    THEFT = "theft"
    MISSING_PERSON = "missing_person"
    CROWD = "crowd"
    FLOOD = "flood"
    HAZARD = "hazard"
    OTHER = "other"


class Level(StrEnum):
    """The levels of command, from the nearest to the widest."""

    GRID = "grid"
    VILLAGE = "village"
    STREET = "street"
    DISTRICT = "district"
    CITY = "city"


class Need(Record, frozen=True, kw_only=True):
    """One slot to fill: a role, and what whoever fills it must bring."""

    role: str = "responder"
    capabilities: tuple[Capability, ...] = ()


class Rung(StrEnum):
    """What a step of the ladder does."""

    WIDEN = "widen"
    OPERATOR = "operator"
    POLICE = "police"
    STREET = "street"
    PROFESSIONALS = "professionals"


class Step(Record, frozen=True, kw_only=True):
    """A step of the ladder: taken `after_s` of the call, unless `until` came first."""

    after_s: int
    rung: Rung
    ring_s: int | None = None
    until: str = "accepted"


class Watch(Record, frozen=True, kw_only=True):
    """When a unit sent is worth a look: seconds since its assignment, or since its last word.

    An order nobody saw; one still unseen; a unit that does not come nearer (30 s after the 30 s of
    turnout that every ETA allows for); one that never did; one given up; a silent scene. Until it
    is there a unit is looked at every `look_s`: does it go away, and is its fix older than
    `unsure_s`?
    """

    unseen_s: int = 15
    unheard_s: int = 20
    still_s: int = 60
    no_show_s: int = 90
    given_up_s: int = 600
    silent_s: int = 600
    look_s: int = 15
    unsure_s: int = 45


class Plan(Record, frozen=True, kw_only=True):
    """A response plan. All clocks are seconds and start when the incident opens."""

    needs: tuple[Need, ...] = (Need(),)
    k: int = 3
    most: int = 12
    ring_s: int = 180
    ttl_s: int = 20
    exp_s: int = 300
    aim_p: float | None = None
    aim_s: int = 180
    steps: tuple[Step, ...] = ()
    watch: Watch | None = None
