"""The measurements of all processes of a machine, whichever of them is asked."""

from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest

from dispatch.api.exposition import merged

VERB: Final = "metrics"
AskAll = Callable[[], Awaitable[list[bytes]]]


async def nobody() -> list[bytes]:
    """Ask nobody: this process is alone."""
    return []


class Measured:
    """One process's measurements by its name, and beside them those of whoever answers.

    The port is shared, so whoever asks cannot say whom: he is told of all, each by a label.
    """

    def __init__(self, name: str, registry: CollectorRegistry, ask_all: AskAll = nobody) -> None:
        self._name = name
        self._registry = registry
        self._ask_all = ask_all

    def own(self, _: bytes = b"") -> bytes:
        """Return this process's name, and below it what it measured."""
        return b"%s\n%s" % (self._name.encode(), generate_latest(self._registry))

    async def text(self) -> bytes:
        """Return what all measured, in the text format of Prometheus."""
        named = (answer.partition(b"\n") for answer in (self.own(), *await self._ask_all()))
        return merged({name.decode(): text for name, _, text in named})
