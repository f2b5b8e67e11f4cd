"""The response plans in force: data, looked up by kind and priority."""

from collections.abc import Mapping
from typing import Final

from schemas.plan import IncidentKind as K
from schemas.plan import Need, Plan, Rung, Step, Watch
from schemas.unit import Capability as C

_AED: Final = Need(role="aed", capabilities=(C.AED,))
_FIRST_AID: Final = Need(role="first_aid", capabilities=(C.FIRST_AID,))
_SWIMMER: Final = Need(role="water_rescue", capabilities=(C.LIFE_BUOY,))
_FIREFIGHTER: Final = Need(role="fire", capabilities=(C.EXTINGUISHER,))
_GUARD: Final = Need(role="guard", capabilities=(C.SHIELD,))
_RESPONDER: Final = Need()

NEEDS: Final[Mapping[K, tuple[Need, ...]]] = {
    K.WATER_RESCUE: (_SWIMMER,),
    K.CARDIAC_ARREST: (_AED, _FIRST_AID),
    K.INJURY: (_FIRST_AID,),
    K.ILLNESS: (_FIRST_AID,),
    K.FIRE: (_FIREFIGHTER, _FIREFIGHTER),
    K.TRAFFIC: (_RESPONDER,),
    K.VIOLENCE: (_GUARD, _GUARD),
    K.DISTURBANCE: (_GUARD,),
    K.THEFT: (_RESPONDER,),
    K.MISSING_PERSON: (_RESPONDER,),
    K.CROWD: (_RESPONDER, _RESPONDER),
    K.FLOOD: (_RESPONDER,),
    K.HAZARD: (_RESPONDER,),
    K.OTHER: (_RESPONDER,),
}

LADDER: Final = (
    Step(after_s=60, rung=Rung.WIDEN, ring_s=300),
    Step(after_s=60, rung=Rung.OPERATOR),
    Step(after_s=120, rung=Rung.POLICE),
    Step(after_s=300, rung=Rung.STREET, until="arrived"),
    Step(after_s=600, rung=Rung.PROFESSIONALS, until="arrived"),
)
LIFE_AT_STAKE: Final = (
    Step(after_s=0, rung=Rung.POLICE),
    *(step for step in LADDER if step.rung is not Rung.POLICE),
)
"""The ring and the police at once, in parallel (mission, rule 3)."""

WATCH: Final = Watch()
HIGHEST: Final = 1


def plan_for(kind: K, priority: int) -> Plan:
    """Return the plan; at priority 1 enough units are asked for P(arrive in 180 s) of 0.95."""
    if priority == HIGHEST:
        return Plan(needs=NEEDS[kind], aim_p=0.95, steps=LIFE_AT_STAKE, watch=WATCH)
    return Plan(needs=NEEDS[kind], steps=LADDER, watch=WATCH)
