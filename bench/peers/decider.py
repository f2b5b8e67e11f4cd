"""The whole service in one process, and clients of its desk that open, accept and end incidents."""

import asyncio
from itertools import cycle
from time import perf_counter
from typing import Any, Final

import msgspec

from bench.harness.answering import answer, run, say
from bench.peers.port import settled
from dispatch.auth import Grant, Right, Role
from dispatch.clock import SystemClock
from dispatch.core.commands import Cancel
from dispatch.ports import Identity, Once
from dispatch.wiring import Service, service
from geo.datum import Datum
from schemas import wire
from schemas.base import IncidentId, KeyId, UnitId, ms
from schemas.plan import IncidentKind
from schemas.rest import OpenIncident, Place

GRANT: Final = Grant(key_id=KeyId("bench"), role=Role.DISPATCHER, juris="gz")
DIGEST: Final = b"bench"
OPEN: Final = "open"
ACCEPT: Final = "accept"
END: Final = "end"


class Offered(msgspec.Struct):
    """What is looked at of an offer."""

    id: str
    unit_id: str
    rev: int = 1


class Opened(msgspec.Struct):
    """What is looked at of an opened incident."""

    id: str
    offers: list[Offered] = []


class Clients:
    """A closed loop: each client goes on as soon as it was answered."""

    def __init__(
        self, running: Service, phones: dict[UnitId, Identity], places: list[tuple[float, float]]
    ) -> None:
        self._running = running
        self._phones = phones
        self._clock = SystemClock()
        self._places = cycle(places)
        self._read = msgspec.json.Decoder(Opened)
        self._took: dict[str, list[float]] = {}
        self._refused = 0

    async def decide(self, clients: int, seconds: float) -> dict[str, Any]:
        """Decide for some seconds by so many clients; return the ms of each step."""
        self._took, self._refused = {OPEN: [], ACCEPT: [], END: []}, 0
        began = perf_counter()
        await asyncio.gather(*(self._client(began + seconds) for _ in range(clients)))
        return {
            "ms": self._took,
            "refused": self._refused,
            "seconds": perf_counter() - began,
        }

    async def _client(self, until: float) -> None:
        while perf_counter() < until:
            opened = await self._open()
            if opened.offers:
                await self._accept(opened.offers[0])
            await self._end(opened)
            self._acknowledge(opened)

    def _acknowledge(self, opened: Opened) -> None:
        """Let the phones that were told acknowledge it, as phones do: mail that waits costs."""
        phones = self._running.phones
        for offer in opened.offers:
            device_id = self._phones[UnitId(offer.unit_id)].device_id
            phones.acknowledge(device_id, phones.head(device_id))

    async def _open(self) -> Opened:
        lon, lat = next(self._places)
        body = OpenIncident(
            kind=IncidentKind.THEFT,
            priority=3,
            position=Place(lon=lon, lat=lat, datum=Datum.WGS84),
            title="bench",
            drill=False,
        )
        began = perf_counter()
        outcome = await self._running.desk.open(body, GRANT, self._once("key"), self._clock.now())
        self._note(OPEN, began)
        return self._read.decode(outcome.answer.body)

    async def _accept(self, offer: Offered) -> None:
        """Let the first unit that was asked accept; another incident may have it by then."""
        identity = self._phones[UnitId(offer.unit_id)]
        now_ms = ms(self._clock.now())
        reply = wire.OfferReply(
            id=self._clock.new_id(),
            oid=offer.id,
            rev=offer.rev,
            r=wire.Answer.ACCEPT,
            at=now_ms,
        )
        began = perf_counter()
        told = await self._running.phones.command(identity, reply)
        if isinstance(told, wire.Ok):
            self._note(ACCEPT, began)
        else:
            self._refused += 1

    async def _end(self, opened: Opened) -> None:
        """Take the incident back: its units are free for others again."""
        began = perf_counter()
        await self._running.desk.act(
            IncidentId(opened.id), Cancel(why="bench"), GRANT, Right.CANCEL, self._once("key")
        )
        self._note(END, began)

    def _once(self, scope: str) -> Once:
        return Once(scope=f"{scope}:bench", id=self._clock.new_id(), digest=DIGEST)

    def _note(self, step: str, began: float) -> None:
        self._took[step].append((perf_counter() - began) * 1000)


async def main(dsn: str, tokens: list[str], places: list[tuple[float, float]]) -> None:
    """Answer until the parent hangs up; every phone counts as connected."""
    async with service(dsn) as running:
        known = [await running.phones.identify(token) for token in tokens]
        for identity in known:
            running.phones.connected(identity)
        settled()
        clients = Clients(running, {one.unit_id: one for one in known}, places)
        say({"phones": len(known)})
        await answer({"decide": clients.decide})


if __name__ == "__main__":
    run(main)
