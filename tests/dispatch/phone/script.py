"""What a scripted centre says, made of `schemas.wire`, and a small real server that says it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from geo.datum import Datum
from geo.eta import Quality
from schemas.incident import AssignmentKind, AssignmentState, Role
from schemas.plan import IncidentKind
from schemas.unit import Duty, UnitState
from schemas.wire import (
    SUBPROTOCOL,
    AssignEnd,
    AssignEndWhy,
    AssignFrame,
    Brief,
    Cadence,
    Frame,
    OfferEnd,
    OfferEndWhy,
    OfferFrame,
    PhoneState,
    Policy,
    Welcome,
)

NOW_MS: Final = 1_795_248_000_000.0
POLICY: Final = Policy(
    state={
        "available": Cadence(60, 50, 30),
        "fixed": Cadence(180, 50, 30),
        "offered": Cadence(3, 10, 5),
        "engaged": Cadence(3, 10, 5),
        "on_scene": Cadence(15, 25, 5),
    }
)


def scene(iid: str = "i1", *, lon: float = 113.31, lat: float = 23.1) -> Brief:
    """Return an incident as a phone is told of it."""
    return Brief(iid=iid, kind=IncidentKind.FIRE, pri=1, title="fire", lon=lon, lat=lat)


def offer(oid: str = "o1", *, seq: int = 0, rev: int = 1, ts: float = 0) -> OfferFrame:
    """Return an offer."""
    return OfferFrame(
        seq=seq,
        ts=ts,
        oid=oid,
        rev=rev,
        d=Datum.WGS84,
        inc=scene(f"i-{oid}"),
        eta_s=120.0,
        quality=Quality.STRAIGHT_LINE,
        dist_m=100.0,
        ttl_ms=20_000.0,
        exp=NOW_MS + 300_000,
        role="responder",
    )


def offer_end(oid: str = "o1", *, seq: int = 0, why: OfferEndWhy = OfferEndWhy.TAKEN) -> OfferEnd:
    """Return the end of an offer."""
    return OfferEnd(seq=seq, oid=oid, why=why)


def task(
    aid: str = "a1",
    *,
    seq: int = 0,
    rev: int = 1,
    oid: str | None = "o1",
    s: AssignmentState = AssignmentState.ASSIGNED,
) -> AssignFrame:
    """Return an assignment."""
    return AssignFrame(
        seq=seq,
        aid=aid,
        oid=oid,
        rev=rev,
        d=Datum.WGS84,
        inc=scene(),
        by="engine",
        kind=AssignmentKind.OFFER,
        role=Role.PRIMARY,
        eta_s=120.0,
        s=s,
    )


def task_end(
    aid: str = "a1", *, seq: int = 0, why: AssignEndWhy = AssignEndWhy.RESOLVED
) -> AssignEnd:
    """Return the end of an assignment."""
    return AssignEnd(seq=seq, aid=aid, why=why)


def welcome(
    *,
    epoch: str = "e1",
    rec: bool = True,
    head: int = 0,
    offers: tuple[OfferFrame, ...] = (),
    tasks: tuple[AssignFrame, ...] = (),
    duty: Duty = Duty.ON,
    spread: float = 1.0,
    consent: bool = True,
) -> Welcome:
    """Return a welcome with its complete state."""
    state = PhoneState(
        duty=duty,
        unit_state=UnitState.AVAILABLE,
        offers=list(offers),
        assigns=list(tasks),
        crew=[],
        policy=POLICY,
        consent=consent,
    )
    return Welcome(
        epoch=epoch,
        rec=rec,
        head=head,
        unit="u1",
        member="m1",
        juris="gz",
        state=state,
        now=NOW_MS,
        spread=spread,
    )


def text(frame: Frame) -> bytes:
    """Return a frame as it goes over the wire."""
    return msgspec.json.encode(frame)


def said(frames: list[bytes]) -> list[dict[str, Any]]:
    """Return what a phone wrote, as plain maps."""
    return [msgspec.json.decode(frame) for frame in frames]


class Caller:
    """One phone on the line, as the centre sees it."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.heard: list[dict[str, Any]] = []

    async def hear(self) -> dict[str, Any]:
        """Return the next frame of the phone."""
        frame: dict[str, Any] = msgspec.json.decode(await self.connection.recv())
        self.heard.append(frame)
        return frame

    async def say(self, frame: Frame) -> None:
        """Write a frame, stamped as by a clock of the tests."""
        await self.connection.send(text(frame).decode())

    async def hang_up(self, code: int, reason: str = "") -> None:
        """Close with a code."""
        await self.connection.close(code, reason)

    async def listen(self) -> None:
        """Take everything that still comes."""
        try:
            while True:
                await self.hear()
        except ConnectionClosed:
            return


Script = Callable[[Caller], Awaitable[None]]


async def greet(caller: Caller) -> None:
    """Welcome the phone, then listen."""
    await caller.hear()
    await caller.say(replace(welcome(), now=NOW_MS))
    await caller.listen()


class Centre:
    """A server on loopback; each connection gets the next script, the last one for good."""

    def __init__(self, *scripts: Script, url: str = "") -> None:
        self.scripts = list(scripts)
        self.callers: list[Caller] = []
        self.url = url

    @property
    def heard(self) -> list[dict[str, Any]]:
        """Return everything that all phones said."""
        return [frame for caller in self.callers for frame in caller.heard]

    async def serve(self, connection: ServerConnection) -> None:
        """Follow the script."""
        caller = Caller(connection)
        self.callers.append(caller)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            await script(caller)
        except ConnectionClosed:
            return


@asynccontextmanager
async def open_centre(*scripts: Script) -> AsyncIterator[Centre]:
    """Serve the scripts on a free port of loopback."""
    centre = Centre(*scripts or (greet,))
    async with serve(
        centre.serve,
        "127.0.0.1",
        0,
        compression=None,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        ping_interval=None,
        close_timeout=0.2,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        centre.url = f"ws://127.0.0.1:{port}/v1/ws/unit"
        yield centre


async def until(true: Callable[[], object], then: Callable[[], object] = lambda: None) -> None:
    """Let the loop run until something is true, doing `then` at every turn; fail after 5 s."""
    async with asyncio.timeout(5):
        while not true():
            then()
            await asyncio.sleep(0.001)
