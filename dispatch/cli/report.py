"""What a run of the demo proves: what was written, held against what the phones have seen."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dispatch.cli.bridge import ClosedBridge
from dispatch.phone.diary import DeviceDiary, Diary
from dispatch.store.ledger import Counts, Ledger
from schemas.base import IncidentId, Instant, Record, ms


class Quantiles(Record, frozen=True, kw_only=True):
    """Milliseconds; absent where nothing was measured."""

    p50: float | None = None
    p99: float | None = None


class Report(Record, frozen=True, kw_only=True):
    """The figures of one run. Anything lost or double-booked makes it a failure."""

    phones_online: int
    incidents: int
    offers: int
    accepted: int
    arrived: int
    arrived_within_180_s: int
    arrived_within_300_s: int
    unserved: int
    unserved_reasons: Mapping[str, int]
    acknowledged_incidents: int
    lost_incidents: int
    lost_messages: int
    double_booked: int
    dispatch_ms: Quantiles
    push_ms: Quantiles
    closed_bridge: ClosedBridge | None = None

    @property
    def failed(self) -> bool:
        """Whether something was lost, or a unit was in two places."""
        return bool(self.lost_messages or self.lost_incidents or self.double_booked)


async def written_report(
    ledger: Ledger,
    diary: Diary,
    acknowledged: Sequence[str],
    drain_s: float,
    closed_bridge: ClosedBridge | None = None,
) -> Report:
    """Read the log and the outbox, and compare them with the diary of the phones."""
    counts: Counts = await ledger.counts()
    opened = await ledger.opened()
    unserved = await ledger.unserved()
    must_be_seen = await ledger.must_be_seen(drain_s)
    return Report(
        phones_online=sum(device.connected for device in diary.devices.values()),
        incidents=counts.incidents,
        offers=counts.offers,
        accepted=counts.accepted,
        arrived=counts.arrived,
        arrived_within_180_s=counts.within_180_s,
        arrived_within_300_s=counts.within_300_s,
        unserved=len(unserved),
        unserved_reasons=dict(Counter(unserved.values())),
        acknowledged_incidents=len(acknowledged),
        lost_incidents=len(set(acknowledged) - set(opened)),
        lost_messages=sum(
            len(lost(seqs, diary.devices[device]))
            for device, seqs in must_be_seen.items()
            if device in diary.devices and diary.devices[device].connected
        ),
        double_booked=await ledger.double_booked(),
        dispatch_ms=dispatch_ms(opened, diary),
        push_ms=Quantiles(p50=round(diary.push_ms.p50, 3), p99=round(diary.push_ms.p99, 3)),
        closed_bridge=closed_bridge,
    )


def lost(seqs: Sequence[int], device: DeviceDiary) -> list[int]:
    """Return the seqs a phone neither saw as frames nor was told of in the state of a welcome."""
    told = max([device.cut, *(head for head, _ in device.welcomes)], default=0)
    return [
        seq
        for seq in seqs
        if seq > told and not any(first <= seq <= last for first, last in device.seqs)
    ]


def dispatch_ms(opened: Mapping[IncidentId, Instant], diary: Diary) -> Quantiles:
    """Return how long it took from the arrival of a call to its first offer frame written."""
    taken = [
        written_ms - ms(opened[IncidentId(incident)])
        for incident, (written_ms, _) in diary.offers_first.items()
        if incident in opened
    ]
    if not taken:
        return Quantiles()
    p50, p99 = np.quantile(taken, [0.5, 0.99])
    return Quantiles(p50=round(float(p50), 3), p99=round(float(p99), 3))
