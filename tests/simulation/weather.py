"""How bad things are: what the network, the store and the server's machine do to a schedule."""

from schemas.base import Record
from tests.simulation.dice import Dice


class Weather(Record, frozen=True, kw_only=True):
    """Shares of frames, calls or seconds, and times in seconds."""

    delay_s: float = 0.02
    jitter_s: float = 0.0
    cut: float = 0.0
    """Of frames: the connection breaks after one of them."""
    hole: float = 0.0
    """Of frames: this one and all that follow it this way are lost, until the line breaks."""
    doubled: float = 0.0
    """Of frames after the hello: the frame arrives twice."""
    swapped: float = 0.0
    """Of a phone's frames after its hello: a later one overtakes it."""
    by_http: float = 0.0
    """Of commands: a copy goes by the HTTP twin too, up to two minutes late."""
    refused: float = 0.0
    """Of dialled lines: nobody answers."""
    store_s: float = 0.004
    away: float = 0.0
    """Of calls of the store: it does not answer; half of them have taken effect."""
    crashes: int = 0
    restarts: int = 0
    bus_s: float = 0.01
    unheard: float = 0.0
    """Of words between processes: they are lost."""
    splits: int = 0
    """How often a process is cut off from the bus for a while."""
    pauses: int = 0
    """How often a process does not run for a while."""
    roams: float = 0.0
    """Of dialled lines: they lead to any process."""
    unanswered: float = 0.0
    """Of requests of the desk's people: the request or its answer is lost."""


CALM = Weather()


def drawn(dice: Dice) -> Weather:
    """Return the weather of a schedule: most faults are rare in most of them."""
    bad = dice.pick((0.2, 0.5, 1.0, 1.0, 2.0))
    return Weather(
        delay_s=dice.pick((0.01, 0.05, 0.3)),
        jitter_s=dice.pick((0.0, 0.2, 2.0)),
        cut=bad * dice.pick((0.0, 0.01, 0.03)),
        hole=bad * dice.pick((0.0, 0.01, 0.02)),
        doubled=bad * dice.pick((0.0, 0.05)),
        swapped=bad * dice.pick((0.0, 0.05)),
        by_http=bad * dice.pick((0.0, 0.2)),
        refused=dice.pick((0.0, 0.1, 0.3)),
        store_s=dice.pick((0.002, 0.02, 0.2)),
        away=bad * dice.pick((0.0, 0.0, 0.02)),
        crashes=dice.pick((0, 0, 1, 2)),
        restarts=dice.pick((0, 0, 0, 1)),
        unanswered=dice.pick((0.0, 0.2)),
        bus_s=dice.pick((0.0, 0.02, 0.5)),
        unheard=bad * dice.pick((0.0, 0.0, 0.02)),
        splits=dice.pick((0, 0, 1, 2)),
        pauses=dice.pick((0, 0, 0, 1)),
        roams=dice.pick((0.0, 0.3, 1.0)),
    )
