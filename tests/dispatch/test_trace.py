"""Trace ids: what a header bears, and what they go with."""

import asyncio

import pytest

from dispatch.trace import begin, present, trace_of, traced, traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-ff",
        f"01-{TRACE}-{SPAN}-00",
        f"cc-{TRACE}-{SPAN}-00-what-will-be",
    ],
)
def test_a_header_bears_a_trace_id(header: str) -> None:
    """Of our version, and of those to come as far as we know them."""
    assert trace_of(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE,
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_no_such_header_bears_none(header: str) -> None:
    """By the letter of W3C Trace Context."""
    assert trace_of(header) is None


def test_what_is_handed_on_can_be_taken() -> None:
    """By the same rules."""
    assert trace_of(traceparent(TRACE)) == TRACE


def test_work_is_under_its_id_until_it_ends() -> None:
    """Then what was before is again, however it ended."""

    def fails() -> None:
        with traced("1" * 32):
            assert present() == "1" * 32
            raise ValueError("no")

    assert present() == ""
    with traced(TRACE):
        with pytest.raises(ValueError, match="no"):
            fails()
        assert present() == TRACE
    assert present() == ""


def test_tasks_are_of_the_work_that_started_them() -> None:
    """And what they begin themselves is of nobody else."""

    async def other() -> tuple[str, str]:
        before = present()
        begin("2" * 32)
        return before, present()

    async def work() -> None:
        with traced(TRACE):
            assert await asyncio.create_task(other()) == (TRACE, "2" * 32)
            assert present() == TRACE

    asyncio.run(work())
