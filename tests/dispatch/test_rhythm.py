"""When what comes round is due."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rhythm import SHORTEST, due_in_s


class StillLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands at an instant."""

    at_s = 0.0

    def time(self) -> float:
        """Return that instant."""
        return self.at_s


async def _pause_s(every_s: float) -> float:
    return due_in_s(every_s)


@given(st.floats(0.0, 1e6), st.sampled_from([0.1, 0.25, 0.5, 1.0, 10.0]))
def test_it_is_due_at_a_multiple_of_its_period(at_s: float, every_s: float) -> None:
    """Never at once: who woke a little early has done it already."""
    with asyncio.Runner(loop_factory=StillLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, StillLoop)
        loop.at_s = at_s
        pause = runner.run(_pause_s(every_s))
    periods = (at_s + pause) / every_s
    assert periods == pytest.approx(round(periods), abs=1e-4)
    assert SHORTEST * every_s <= pause <= (1 + SHORTEST) * every_s + 1e-6
