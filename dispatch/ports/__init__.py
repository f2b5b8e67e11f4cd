"""What the desk needs of the world: a store, a way to phones, a clock, a bus, a router."""

from dispatch.ports.alarms import Alarms
from dispatch.ports.bus import BODY_MOST, Bus, BusAway, Nobody, Reply, Take
from dispatch.ports.checks import Broken, Canaries, Checks, UnitStates
from dispatch.ports.clock import Clock, Times
from dispatch.ports.closures import Closures
from dispatch.ports.commands import (
    AlreadyAnswered,
    Answer,
    Loaded,
    Once,
    StaleCase,
    StoreAway,
    UnitTaken,
)
from dispatch.ports.due import Due
from dispatch.ports.log import Cursor, Logged
from dispatch.ports.mail import OUTBOX_MOST, Outbound, Outbox, Sealed
from dispatch.ports.nodes import LIVE_S, Beat, Binding, Node, NodeId, Nodes
from dispatch.ports.notices import Notices
from dispatch.ports.phones import DutyChange, Identity, Key, PushAddress
from dispatch.ports.push import Channel, Claimed, Push, PushState, Settled, Unheard
from dispatch.ports.register import (
    TEL_SHOWN,
    Code,
    CodeTaken,
    DutyOrder,
    Enrolling,
    MemberChange,
    Phone,
    Register,
    UnitChange,
    masked,
)
from dispatch.ports.router import Leg, Router, RouterAway, Start, Way
from dispatch.ports.store import Store

__all__ = [
    "BODY_MOST",
    "LIVE_S",
    "OUTBOX_MOST",
    "TEL_SHOWN",
    "Alarms",
    "AlreadyAnswered",
    "Answer",
    "Beat",
    "Binding",
    "Broken",
    "Bus",
    "BusAway",
    "Canaries",
    "Channel",
    "Checks",
    "Claimed",
    "Clock",
    "Closures",
    "Code",
    "CodeTaken",
    "Cursor",
    "Due",
    "DutyChange",
    "DutyOrder",
    "Enrolling",
    "Identity",
    "Key",
    "Leg",
    "Loaded",
    "Logged",
    "MemberChange",
    "Nobody",
    "Node",
    "NodeId",
    "Nodes",
    "Notices",
    "Once",
    "Outbound",
    "Outbox",
    "Phone",
    "Push",
    "PushAddress",
    "PushState",
    "Register",
    "Reply",
    "Router",
    "RouterAway",
    "Sealed",
    "Settled",
    "StaleCase",
    "Start",
    "Store",
    "StoreAway",
    "Take",
    "Times",
    "Unheard",
    "UnitChange",
    "UnitStates",
    "UnitTaken",
    "Way",
    "masked",
]
