"""When a phone comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.phone.reconnect import (
    Loss,
    Then,
    back_off_s,
    retry_after_s,
    then,
    wait_s,
    wake_s,
)
from schemas.wire import Close

THEN = {
    Close.PROTOCOL: Then.STAND_BY,
    Close.AUTH_INVALID: Then.STAND_BY,
    Close.DEVICE_REVOKED: Then.STOP,
    Close.REPLACED: Then.STAND_BY,
    Close.FORBIDDEN: Then.STAND_BY,
    Close.UPGRADE_APP: Then.STAND_BY,
    Close.UNIT_DISABLED: Then.STAND_BY,
    Close.HELLO_TIMEOUT: Then.BACK_OFF,
    Close.AUTH_EXPIRED: Then.BACK_OFF,
    Close.SLOW_CONSUMER: Then.BACK_OFF,
    Close.RATE_LIMITED: Then.BACK_OFF,
    Close.SILENT: Then.BACK_OFF,
    Close.INTERNAL: Then.BACK_OFF,
    Close.OVERLOADED: Then.BACK_OFF,
    Close.TOO_MANY_ERRORS: Then.BACK_OFF,
    Close.DRAINING: Then.RETURN,
    Close.MOVED: Then.RETURN,
    Close.RESYNC: Then.RETURN,
}


@pytest.mark.parametrize("code", Close)
def test_every_close_code_says_what_to_do(code: Close) -> None:
    """Protocol §6, cell by cell."""
    assert then(code) is THEN[code]


@pytest.mark.parametrize("code", [None, 1000, 1001, 1005, 1006, 1009, 1011, 1012, 3999, 4300])
def test_every_other_end_is_bad_luck(code: int | None) -> None:
    """An operating system's 1000 is no log-out."""
    assert then(code) is Then.BACK_OFF


@pytest.mark.parametrize("code", [4007, 4199, 4299])
def test_a_code_of_a_newer_server_is_known_by_its_range(code: int) -> None:
    """The range tells what to do."""
    assert then(code) is {40: Then.STAND_BY, 41: Then.BACK_OFF, 42: Then.RETURN}[code // 100]


@pytest.mark.parametrize(
    ("loss", "most_s"),
    [
        (Loss(attempt=0), 1.0),
        (Loss(attempt=3), 8.0),
        (Loss(attempt=9), 30.0),
        (Loss(attempt=9, busy=True), 5.0),
        (Loss(attempt=9, background=True), 300.0),
        (Loss(attempt=10**6), 30.0),
        (Loss(welcomed=True, spread_s=40.0), 40.0),
        (Loss(welcomed=True, spread_s=1e9), 60.0),
        (Loss(welcomed=True, spread_s=40.0, busy=True), 2.0),
        (Loss(welcomed=True, spread_s=40.0, attempt=2), 40.0),
        (Loss(welcomed=True, spread_s=1.0, attempt=2), 4.0),
        (Loss(welcomed=True, spread_s=40.0, attempt=2, busy=True), 4.0),
        (Loss(code=4200, reason='{"r":"draining","ra":20}'), 20.0),
        (Loss(code=4200, reason='{"r":"draining","ra":0}', attempt=4), 16.0),
    ],
)
def test_the_wait_is_spread_over_all_of_its_window(loss: Loss, most_s: float) -> None:
    """Full jitter: from nothing to the bound, by the dice."""
    assert wait_s(loss, 0.0) == 0.0
    assert wait_s(loss, 0.5) == pytest.approx(most_s / 2)


def test_a_server_that_asks_for_time_gets_it() -> None:
    """`ra` comes before the back-off."""
    loss = Loss(code=4106, reason='{"r":"overloaded","ra":7}')
    assert wait_s(loss, 0.0) == 7.0
    assert wait_s(loss, 0.5) == 7.5


def test_a_revoked_device_stays_away_and_others_look_in() -> None:
    """4002 is for ever; the rest of 40xx is tried every 15 min ± 50 %."""
    assert wait_s(Loss(code=4002), 0.5) is None
    assert wait_s(Loss(code=4001), 0.0) == 450.0
    assert wait_s(Loss(code=4001), 1.0) == 1350.0


@given(st.text())
def test_any_reason_is_a_number_of_seconds(reason: str) -> None:
    """A proxy may say anything."""
    assert 0.0 <= retry_after_s(reason) <= 3600.0


@pytest.mark.parametrize("reason", ['{"ra":null}', '{"ra":-4}', '{"ra":"x"}', "", "[]"])
def test_a_reason_that_is_none_of_ours_asks_for_nothing(reason: str) -> None:
    """Only a number counts."""
    assert retry_after_s(reason) == 0.0


def test_the_back_off_doubles_and_the_foreground_is_soon() -> None:
    """random(0, 1 s · 2^n); random(0, 1 s)."""
    assert [back_off_s(n, 30.0, 1.0) for n in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert wake_s(0.25) == 0.25
