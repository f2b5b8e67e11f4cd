"""When to come back after a lost connection: close codes, and back-off with full jitter."""

from enum import Enum, auto
from typing import Final

import msgspec

from schemas.wire import Close

BASE_S: Final = 1.0
CAP_S: Final = 30.0
ENGAGED_CAP_S: Final = 5.0
BACKGROUND_CAP_S: Final = 300.0
ENGAGED_RETURN_S: Final = 2.0
WAKE_S: Final = 1.0
STAND_BY_S: Final = 15 * 60.0
STABLE_MS: Final = 60_000.0
SPREAD_MAX_S: Final = 60.0
RETRY_AFTER_MAX_S: Final = 3600.0
ATTEMPTS_MAX: Final = 16  # 2^16 s is beyond every cap
RETURNS_FREE: Final = 3  # a server that sends away for ever gets the back-off, too


class Then(Enum):
    """What a close code asks of the client."""

    STOP = auto()
    STAND_BY = auto()
    BACK_OFF = auto()
    RETURN = auto()


_RANGES: Final = {40: Then.STAND_BY, 41: Then.BACK_OFF, 42: Then.RETURN}
NO_CODE: Final = frozenset({None, 1005, 1006})


class CloseReason(msgspec.Struct, frozen=True):
    """The JSON in a close frame: a name, and seconds to stay away."""

    r: str | None = None
    ra: float | None = None


def then(code: int | None) -> Then:
    """Return what to do after `code`; a code is known by its range, all others are bad luck."""
    if code == Close.DEVICE_REVOKED:
        return Then.STOP
    return _RANGES.get((code or 0) // 100, Then.BACK_OFF)


def retry_after_s(reason: str) -> float:
    """Return `ra` of a close reason; 0 for a reason that is none of ours."""
    try:
        seconds = msgspec.json.decode(reason, type=CloseReason).ra or 0.0
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return 0.0
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S)


def back_off_s(attempt: int, cap_s: float, dice: float) -> float:
    """Return random(0, min(cap, 1 s · 2^attempt)); `dice` is in [0, 1)."""
    return dice * min(cap_s, BASE_S * 2.0 ** min(attempt, ATTEMPTS_MAX))


def wake_s(dice: float) -> float:
    """Return the wait when the app comes to the foreground or the network changes."""
    return dice * WAKE_S


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that is gone, or never came about."""

    code: int | None = None
    reason: str = ""
    attempt: int = 0
    welcomed: bool = False
    busy: bool = False
    background: bool = False
    spread_s: float = 0.0


def wait_s(loss: Loss, dice: float) -> float | None:
    """Return the seconds until the next try; None: only when the user says so."""
    match then(loss.code):
        case Then.STOP:
            return None
        case Then.STAND_BY:
            return STAND_BY_S * (0.5 + dice)
        case Then.RETURN:
            return dice * retry_after_s(loss.reason) + _sent_away_s(loss, dice)
        case Then.BACK_OFF if loss.welcomed and loss.code in NO_CODE:
            flapping_s = back_off_s(loss.attempt, _cap_s(loss), dice) if loss.attempt else 0.0
            return max(dice * _first_wait_s(loss), flapping_s)
        case Then.BACK_OFF:
            return retry_after_s(loss.reason) + back_off_s(loss.attempt, _cap_s(loss), dice)


def _sent_away_s(loss: Loss, dice: float) -> float:
    return back_off_s(loss.attempt, _cap_s(loss), dice) if loss.attempt > RETURNS_FREE else 0.0


def _first_wait_s(loss: Loss) -> float:
    """Everybody lost the same server at once: come back spread, the busy ones soon."""
    return ENGAGED_RETURN_S if loss.busy else min(max(loss.spread_s, 0.0), SPREAD_MAX_S)


def _cap_s(loss: Loss) -> float:
    if loss.busy:
        return ENGAGED_CAP_S
    return BACKGROUND_CAP_S if loss.background else CAP_S
