"""What a fleet of phones has seen, kept small, to be held against what was committed."""

from typing import Final

import msgspec

from dispatch.phone.latency import Latency, Quantiles

WELCOMES_MAX: Final = 64
OFFERS_FIRST_MAX: Final = 200_000
ARRIVALS_MAX: Final = 200_000
DEEDS_MAX: Final = 500_000
FAULTS_MAX: Final = 100


class DeviceDiary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one phone saw: seqs as [first, last], unknown up to `cut`; welcomes as (head, ms).

    `losts`: when the line of each welcome was lost, in their order; of one that is still open
    there is none. `offers` and `tasks`: the ids of all that were heard of, as frames or in states.
    """

    unit: str = ""
    seqs: list[list[int]] = []
    cut: int = 0
    welcomes: list[tuple[int, float]] = []
    losts: list[float] = []
    offers: list[str] = []
    tasks: list[str] = []
    connected: bool = False


class Deed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command that was answered with ok: it has to be in the log of its incident.

    `what` is `accept`, `decline`, or how far the unit has come; `ref` the offer or the task.
    """

    device: str
    what: str
    iid: str
    ref: str
    late: bool = False


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that should not have come like this, and where it was noticed."""

    device: str
    what: str
    kind: str
    seq: int


class Tally(msgspec.Struct, kw_only=True):
    """What is counted while a fleet runs.

    `losses` are of all lines and tries for one; `disconnects` of lines with a welcome which the
    phone did not leave by itself. `doubled`, `disordered` and `rewound` are counts of faults,
    `repeated` is none.
    """

    phones: int = 0
    online: int = 0
    dialling: int = 0
    welcomes: int = 0
    offers: int = 0
    accepts: int = 0
    declines: int = 0
    tasks: int = 0
    arrivals: int = 0
    arrived_180_s: int = 0
    arrived_300_s: int = 0
    resolved: int = 0
    ended: dict[str, int] = {}
    refused: dict[str, int] = {}
    losses: dict[str, int] = {}
    disconnects: dict[str, int] = {}
    dropped_off: int = 0
    skipped: int = 0
    dropped: int = 0
    fixes: int = 0
    reliable: int = 0
    done: int = 0
    doubled: int = 0
    disordered: int = 0
    rewound: int = 0
    repeated: int = 0
    renewed: int = 0


class Diary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it, written as JSON when a fleet ends.

    Latencies are by the server's clock, which was `skew_ms` ahead of the fleet's at the end
    (`until_ms`, by the fleet's own, as are `began_ms`, when the first was let dial, and
    `complete_ms`, when all were online for the first time). `offers_first`: when the first offer
    of an incident was written, by the server's clock, and when it was heard, by the fleet's.
    `taken`: how long each thing took since the fleet was told to begin.
    """

    devices: dict[str, DeviceDiary]
    offers_first: dict[str, tuple[float, float]]
    arrivals: list[tuple[str, float]]
    push_ms: Quantiles
    skew_ms: float = 0.0
    tally: Tally
    taken: dict[str, Latency] = {}
    deeds: list[Deed] = []
    faults: list[Fault] = []
    until_ms: float = 0.0
    began_ms: float = 0.0
    complete_ms: float | None = None
