"""People at the desk: they open incidents, change their minds, and ask again when unheard."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from dispatch.auth import Grant, Right, Role
from dispatch.core import commands as c
from dispatch.core.errors import Refusal, Temporary
from dispatch.core.lifecycle import ENDED, OPEN_OFFER
from dispatch.desk.desk import Making, Outcome
from dispatch.ports import Clock, Once
from dispatch.store.memory import MemoryStore
from geo.datum import Datum
from geo.point import Point
from schemas.base import IncidentId, KeyId
from schemas.plan import IncidentKind
from schemas.rest import IncidentView, NeedBody, OpenIncident, Place
from tests.simulation.dice import Dice
from tests.simulation.ledger import Ledger, Request
from tests.simulation.server import Server
from tests.simulation.weather import Weather

COMMANDER: Final = Grant(key_id=KeyId("k1"), role=Role.COMMANDER, juris="gz")
TRIES: Final = 8
AGAIN_S: Final = 1.0
KINDS: Final = (IncidentKind.THEFT, IncidentKind.CROWD, IncidentKind.CARDIAC_ARREST)


class People:
    """The desk's people; each request keeps its id until it is answered."""

    def __init__(
        self,
        *,
        store: MemoryStore,
        server: Callable[[], Server | None],
        clock: Clock,
        dice: Dice,
        weather: Callable[[], Weather],
        ledger: Ledger,
    ) -> None:
        self._store, self._server, self._clock = store, server, clock
        self._dice, self._weather, self._ledger = dice, weather, ledger
        self._loop = asyncio.get_running_loop()
        self.busy = 0

    async def open(self, near: Point) -> None:
        """Report an incident around a place."""
        dice = self._dice
        place = Place(
            lon=near.lon + dice.between(-2e-4, 2e-4),
            lat=near.lat + dice.between(-2e-4, 2e-4),
            datum=Datum.WGS84,
        )
        needs = dice.pick(((NeedBody(),), (NeedBody(),), (NeedBody(), NeedBody())))
        body = OpenIncident(
            kind=dice.pick(KINDS),
            priority=dice.pick((1, 2, 2, 3, 4)),
            position=place,
            title="t",
            note=(words := self._words()),
            drill=False,
            needs=list(needs),
        )
        received_at = self._clock.now()

        async def call(server: Server, once: Once) -> Outcome:
            return await server.desk.open(body, COMMANDER, once, received_at)

        await self._ask(Request("open", words, ""), call)

    async def change(self) -> None:
        """Change something of some incident."""
        known = [i for i, row in self._store._incidents.items() if row.source == "commander"]
        if not known:
            return
        incident_id = self._dice.pick(known)
        words = self._words()
        name, command, right = self._dice.pick(self._choices(incident_id, words))

        async def call(server: Server, once: Once) -> Outcome:
            return await server.desk.act(incident_id, command, COMMANDER, right, once, via="radio")

        await self._ask(Request(name, words, incident_id), call)

    def _choices(
        self, incident_id: IncidentId, words: str
    ) -> list[tuple[str, c.Command | Making, Right]]:
        """Return what may be wanted of an incident, possible or not."""
        change = Right.CHANGE_INCIDENTS
        store, now = self._store, self._clock.now
        choices: list[tuple[str, c.Command | Making, Right]] = [
            ("supplement", c.Supplement(note=words), change),
            ("supplement", c.Supplement(note=words), change),
            ("correct", c.Correct(priority=self._dice.pick((1, 2, 3, 4))), change),
            ("cancel", c.Cancel(why=words), Right.CANCEL),
            ("resolve", c.Resolve(note=words), change),
            ("close", c.CloseFile(result="done", note=words), Right.CLOSE),
            ("reopen", c.Reopen(why=words), change),
            ("hand_over", c.HandOver(to="110", why=words), Right.ORDER),
        ]
        unit_id = self._dice.pick(sorted(store._units))
        choices += [
            ("ask", c.Ask(unit_id=unit_id), change),
            ("order", c.Order(unit_id=unit_id), Right.ORDER),
        ] * 2
        others = sorted(store._incidents.keys() - {incident_id})
        if others:
            other = self._dice.pick(others)
            choices.append(("merge", c.Merge(into=other), Right.ORDER))
        for task_id in store._tasks_of.get(incident_id, ()):
            task = store._tasks[task_id]
            if task.state not in ENDED:
                choices.append(("release", c.Release(task_id=task_id, why=words), change))
                if others:
                    other = self._dice.pick(others)
                    reassign = c.Reassign(task_id=task_id, to=other, why=words)
                    choices.append(("reassign", reassign, Right.ORDER))
        for offer_id in store._offers_of.get(incident_id, ()):
            offer = store._offers[offer_id]
            yes = c.Accept(unit_id=offer.unit_id, offer_id=offer_id, at=now())
            choices.append(("accept", yes, change))
            if offer.state in OPEN_OFFER:
                withdraw = c.WithdrawOffer(offer_id=offer_id, why=words)
                choices.append(("withdraw", withdraw, change))
        return choices

    def _words(self) -> str:
        return f"w{self._clock.new_id()}"

    async def _ask(
        self, request: Request, call: Callable[[Server, Once], Awaitable[Outcome]]
    ) -> None:
        """Ask until there is an answer, by the same id."""
        once = Once(scope="key:k1", id=self._clock.new_id(), digest=request.words.encode())
        self._ledger.requests.append(request)
        self.busy += 1
        for _ in range(TRIES):
            self._ledger.note(self._loop.time(), "desk asks", request)
            if await self._try(request, call, once):
                break
            await asyncio.sleep(AGAIN_S * self._dice.between(0.5, 1.5))
        self.busy -= 1

    async def _try(
        self, request: Request, call: Callable[[Server, Once], Awaitable[Outcome]], once: Once
    ) -> bool:
        unheard = self._weather().unanswered
        server = self._server()
        if server is None or self._dice.chance(unheard):
            return False
        result: list[Any] = []

        async def asked() -> None:
            try:
                result.append(await call(server, once))
            except Refusal as refusal:
                result.append(refusal)

        await asyncio.wait({server.spawn(asked())})
        if not result or isinstance(result[0], Temporary) or self._dice.chance(unheard):
            return False
        if isinstance(result[0], Refusal):
            request.refused = result[0].code
        else:
            view = msgspec.json.decode(result[0].answer.body, type=IncidentView)
            request.answered, request.created = True, view.id
        return True
