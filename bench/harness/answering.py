"""The other side of `child`: answers the parent's questions until it hangs up."""

import asyncio
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import structlog
import uvloop

Handler = Callable[..., Awaitable[dict[str, Any]]]
PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def say(facts: Mapping[str, Any]) -> None:
    """Tell the parent."""
    sys.stdout.buffer.write(msgspec.json.encode(facts) + b"\n")
    sys.stdout.buffer.flush()


async def answer(handlers: Mapping[str, Handler]) -> None:
    """Answer questions in order, until the parent hangs up."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    )
    try:
        while line := await reader.readline():
            question = msgspec.json.decode(line)
            say(await handlers[question.pop("ask")](**question))
    finally:
        transport.close()


def run(main: Callable[..., Awaitable[None]]) -> None:
    """Run a child's main with the options of its parent's first line, on uvloop.

    Its log goes to standard error, and only errors: standard output is for answers.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    options = msgspec.json.decode(sys.stdin.buffer.readline())

    async def work() -> None:
        await main(**options)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
    sys.stdout.flush()
    os._exit(0)  # thousands of sockets need no goodbye
