"""A verdict on many things is that on the worst of them."""

from dispatch.cli.verdict import Verdict, fail, ok, warn, worst


def test_the_worst_line_decides() -> None:
    """One failure is enough; nothing looked at is nothing wrong."""
    good, poor, bad = ok("a", "fine"), warn("b", "so so", "look"), fail("c", "broken", "mend")
    assert worst([]) is Verdict.OK
    assert worst([good, poor]) is Verdict.WARN
    assert worst([bad, good, poor]) is Verdict.FAIL
