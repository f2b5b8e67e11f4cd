"""The reference client: a phone, and a city of them in one process."""

from dispatch.phone.behaviour import Habits
from dispatch.phone.diary import DeviceDiary, Diary, Tally
from dispatch.phone.fleet import FleetOptions, PhoneLine, TooFewFiles
from dispatch.phone.latency import Latency, Quantiles
from dispatch.phone.process import ORPHANED, STOPPED, FleetProgress, Order, run_fleet
from dispatch.phone.session import Card, Memory, Session

__all__ = [
    "ORPHANED",
    "STOPPED",
    "Card",
    "DeviceDiary",
    "Diary",
    "FleetOptions",
    "FleetProgress",
    "Habits",
    "Latency",
    "Memory",
    "Order",
    "PhoneLine",
    "Quantiles",
    "Session",
    "Tally",
    "TooFewFiles",
    "run_fleet",
]
