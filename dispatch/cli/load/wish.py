"""What a load run is asked for."""

from pathlib import Path

from dispatch.cli.load.threshold import Threshold
from dispatch.phone.behaviour import Habits
from schemas.base import Record


class Wish(Record, frozen=True, kw_only=True):
    """A run: whom, how much, how long, and what it is held to."""

    url: str
    key: str
    phones_file: Path
    phones_most: int | None
    processes: int | None
    seconds: float
    per_minute: float
    fixes_per_s: float
    drops_per_min: float
    habits: Habits
    connect_per_s: int
    connect_within_s: float
    drain_s: float
    server_pids: tuple[int, ...]
    thresholds: tuple[Threshold, ...]
    report: Path | None
    seed: int
