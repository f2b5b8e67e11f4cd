"""Several processes of phones tell one story."""

from dispatch.cli.phone_fleets import together
from dispatch.phone.diary import DeviceDiary, Diary, Tally
from dispatch.phone.latency import Quantiles


def diary(device: str, offer_ms: float, p99: float) -> Diary:
    """Return the diary of one phone."""
    return Diary(
        devices={device: DeviceDiary(unit=device, connected=True)},
        offers_first={"i1": (offer_ms, offer_ms + 1), device: (1.0, 2.0)},
        arrivals=[(device, 100.0)],
        push_ms=Quantiles(p99=p99),
        tally=Tally(phones=1, offers=2, losses={"4200": 1}),
    )


def test_diaries_become_one() -> None:
    """The first offer of an incident is the first of all, and the worst latencies are told."""
    both = together(diary("d1", 20.0, 3.0), diary("d2", 10.0, 5.0))
    assert sorted(both.devices) == ["d1", "d2"]
    assert both.offers_first == {"i1": (10.0, 11.0), "d1": (1.0, 2.0), "d2": (1.0, 2.0)}
    assert both.arrivals == [("d1", 100.0), ("d2", 100.0)]
    assert both.push_ms.p99 == 5.0
    assert (both.tally.phones, both.tally.offers, both.tally.losses) == (2, 4, {"4200": 2})
