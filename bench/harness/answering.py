"""The other side of `child`: answers the parent's questions until it hangs up."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import uvloop

from dispatch.phone.process import die_with_parent

Handler = Callable[..., Awaitable[dict[str, Any]]]


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
    """Run a child's main with the options of its parent's first line, on uvloop."""
    die_with_parent()
    options = msgspec.json.decode(sys.stdin.buffer.readline())

    async def work() -> None:
        await main(**options)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
    sys.stdout.flush()
    os._exit(0)  # thousands of sockets need no goodbye
