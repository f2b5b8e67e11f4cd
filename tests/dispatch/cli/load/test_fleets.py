"""What processes count, added up; and the address they dial."""

import pytest

from dispatch.cli.load.fleets import added, numeric
from dispatch.cli.load.run import all_online_s, connect_failures
from dispatch.phone.diary import Diary, Tally
from dispatch.phone.latency import Quantiles


def diary(began_ms: float, complete_ms: float | None) -> Diary:
    """Return the diary of a process."""
    return Diary(
        devices={},
        offers_first={},
        arrivals=[],
        push_ms=Quantiles(),
        tally=Tally(),
        began_ms=began_ms,
        complete_ms=complete_ms,
    )


def test_counts_of_processes_add_up() -> None:
    """Numbers, and numbers by name."""
    first = Tally(phones=3, fixes=7, losses={"4200": 1, "broken": 2})
    second = Tally(phones=2, losses={"4200": 5, "refused": 1})
    total = added([first, second])
    assert (total.phones, total.fixes) == (5, 7)
    assert total.losses == {"4200": 6, "broken": 2, "refused": 1}
    assert added([]) == Tally()


def test_a_try_that_failed_is_no_line_that_was_lost() -> None:
    """Nor is it one that was let drop."""
    tally = Tally(
        losses={"4200": 3, "4103": 4, "broken": 5, "refused": 2},
        disconnects={"4200": 3, "broken": 1},
        dropped_off=4,
    )
    assert connect_failures(tally) == {"4103": 4, "refused": 2}
    assert connect_failures(Tally()) == {}


def test_all_are_online_when_the_last_process_has_all_of_its_own() -> None:
    """From the first dial of any; never, where one never had."""
    assert all_online_s([diary(1_000, 9_000), diary(1_500, 11_500)]) == 10.5
    assert all_online_s([diary(1_000, 9_000), diary(1_500, None)]) is None
    assert all_online_s([]) is None


@pytest.mark.parametrize(
    ("url", "dialled"),
    [
        ("http://localhost:8110", "http://127.0.0.1:8110"),
        ("http://127.0.0.1:8110", "http://127.0.0.1:8110"),
        ("https://kapok.example/gz", "https://kapok.example/gz"),
    ],
)
def test_phones_dial_localhost_by_its_number(url: str, dialled: str) -> None:
    """Only so can they have addresses of their own."""
    assert numeric(url) == dialled
