"""What all machines have: an office of their own, and answers that get lost."""

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.machines.office import Office

picks: Final = st.integers(0, 99)
"""Which of those there are, counted from the newest."""


class Machine(RuleBasedStateMachine):
    """Somebody at an office."""

    def __init__(self) -> None:
        """Begin before the first call."""
        super().__init__()
        self.office = Office()

    def teardown(self) -> None:
        """Go home."""
        self.office.close()


class Repeating(Machine):
    """Somebody whose answers get lost now and then."""

    @rule(pick=picks)
    def repeat(self, pick: int) -> None:
        """An answer was lost, and is asked for again long after."""
        self.office.say_again(pick)
