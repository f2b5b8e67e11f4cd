"""A notice over the whole service: sent by REST, heard on real sockets, replayed, taken back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio
from httpx import AsyncClient
from websockets.asyncio.client import connect

from dispatch.auth import token_hash
from dispatch.cli.city import IssuedPhone, register
from dispatch.clock import SystemClock
from dispatch.phone.news import Noticed, NoticeEnded, Welcomed
from dispatch.phone.session import Card, Memory, Session
from dispatch.store.registry import registry
from schemas.base import KeyId, ms
from schemas.wire import SUBPROTOCOL, NoticeRead
from tests.cities import small_city
from tests.fakes import ManualClock
from tests.serving import served

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.asyncio]
PATIENCE_S: Final = 20.0
NOTICE: Final = {"level": "warn", "text": "台风红色预警", "need_read": True, "drill": False}
TOKEN: Final = "kk_test-of-notices"


@dataclass
class Phone:
    """The reference client's session on a real websocket."""

    session: Session
    line: Any
    clock: SystemClock = field(default_factory=SystemClock)
    texts: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    welcomes: int = 0

    async def greet(self) -> None:
        """Say hello, and hear the welcome."""
        self.session.opened(self.now)
        await self.flush()
        await self.until(lambda: self.welcomes)

    @property
    def now(self) -> float:
        """Return the time, in milliseconds."""
        return ms(self.clock.now())

    async def flush(self) -> None:
        """Write what the session wants said."""
        for frame in self.session.outgoing(self.now):
            await self.line.send(frame.decode())

    async def until(self, true: Any) -> None:
        """Hear on until something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                for news in self.session.hear(await self.line.recv(), self.now):
                    self._note(news)

    def _note(self, news: object) -> None:
        match news:
            case Noticed(notice):
                self.texts.append(notice.text)
            case NoticeEnded(nid):
                self.ended.append(nid)
            case Welcomed():
                self.welcomes += 1
            case _:
                pass

    async def acknowledge(self) -> None:
        """Acknowledge all there is, now."""
        await self.session_tick(6_000)

    async def session_tick(self, later_ms: float) -> None:
        """Let the session believe that so much time has passed."""
        for frame in self.session.outgoing(self.now + later_ms):
            await self.line.send(frame.decode())


@dataclass
class City:
    """The service under test, a dispatcher, and the phones that may connect."""

    url: str
    issued: list[IssuedPhone]
    api: AsyncClient
    stack: AsyncExitStack

    async def phone(self, number: int, memory: Memory | None = None) -> Phone:
        """Connect a phone."""
        card = Card(tok=self.issued[number].token, inst=f"run-{number}")
        address = self.url.replace("http", "ws") + "/v1/ws/unit"
        opening = connect(address, subprotocols=[SUBPROTOCOL], compression=None, proxy=None)  # type: ignore[list-item]  # text to its checker
        line = await self.stack.enter_async_context(opening)
        phone = Phone(Session(card, memory), line)
        await phone.greet()
        return phone

    async def send(self, number: int, **facts: Any) -> str:
        """Send a notice; return its address."""
        answer = await self.api.post(
            "/v1/notices", json={**NOTICE, **facts}, headers={"Idempotency-Key": f"notice-{number}"}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"])

    async def counts(self, address: str, **wanted: int) -> dict[str, Any]:
        """Wait until a notice has come so far; return it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                view: dict[str, Any] = (await self.api.get(address)).json()
                if all(view[name] == n for name, n in wanted.items()):
                    return view
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def city(database: str) -> AsyncIterator[City]:
    """Twenty phones, one dispatcher, one service."""
    async with registry(database) as registered:
        issued = await register(
            registered, small_city(20), 20, ManualClock().new_id, lambda *_: None
        )
        await registered.put_key(KeyId("k1"), "desk", "dispatcher", "gz", token_hash(TOKEN))
    async with AsyncExitStack() as stack:
        _, url = await stack.enter_async_context(served(database))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        api = await stack.enter_async_context(AsyncClient(base_url=url, headers=headers))
        yield City(url, issued, api, stack)


async def test_phones_that_are_here_hear_it_and_those_that_come_are_told(city: City) -> None:
    """Once each; delivered and read are counted."""
    here = [await city.phone(n) for n in range(3)]
    address = await city.send(1)
    for phone in here:
        await phone.until(lambda phone=phone: phone.texts)
        await phone.acknowledge()
    view = await city.counts(address, addressed=20, delivered=3)
    assert view["read"] == 0
    late = await city.phone(7)
    await late.until(lambda: late.texts)
    await late.acknowledge()
    said = NoticeRead(id="read-by-phone-0007", nid=address.rsplit("/", 1)[1])
    late.session.send(said, late.now)
    await late.flush()
    await city.counts(address, delivered=4, read=1)
    assert [phone.texts for phone in (*here, late)] == [["台风红色预警"]] * 4


async def test_what_was_not_acknowledged_is_told_again_and_shown_once(city: City) -> None:
    """A broken line loses nothing; the same app shows nothing twice."""
    phone = await city.phone(0)
    await city.send(1, text="一")
    await phone.until(lambda: phone.texts)
    await phone.line.close()
    await city.send(2, text="二")
    again = await city.phone(0, Memory(epoch=phone.session.epoch, seq=0))
    await again.until(lambda: len(again.texts) > 1)
    assert again.texts == ["一", "二"]
    await again.acknowledge()
    assert again.session.seq == 2
    third = await city.phone(0, again.session.memory)
    assert third.texts == []


async def test_many_that_wait_come_in_order_and_before_what_is_new(city: City) -> None:
    """More than one page of them."""
    for number in range(40):
        address = await city.send(number, text=str(number))
    await city.counts(address, addressed=20)
    phone = await city.phone(3)
    await city.send(40, text="40")
    await phone.until(lambda: len(phone.texts) > 40)
    assert phone.texts == [str(n) for n in range(41)]


async def test_one_taken_back_is_shown_no_longer(city: City) -> None:
    """Who has it is told; who comes later never sees it."""
    phone = await city.phone(0)
    address = await city.send(1)
    await phone.until(lambda: phone.texts)
    answer = await city.api.post(f"{address}/withdraw", json={})
    assert answer.status_code == 200, answer.text
    await phone.until(lambda: phone.ended)
    assert phone.ended == [address.rsplit("/", 1)[1]]
    later = await city.phone(1)
    await later.until(lambda: later.session.seq >= 2)
    assert later.texts == []


async def test_an_alarm_is_seen_and_acknowledged_at_a_desk(city: City) -> None:
    """By REST alone: presence, the alarm, taking note."""
    here = await city.api.post("/v1/desk/presence", json={"jurisdiction": "gz"})
    assert here.status_code == 200, here.text
    call = {
        "kind": "cardiac_arrest",
        "priority": 1,
        "position": {"lon": city.issued[0].lon, "lat": city.issued[0].lat, "datum": "wgs84"},
        "title": "倒地",
        "drill": True,
    }
    opened = await city.api.post("/v1/incidents", json=call, headers={"Idempotency-Key": "call"})
    assert opened.status_code == 201, opened.text
    async with asyncio.timeout(PATIENCE_S):
        while not [a for a in (await _alarms(city)) if a["addressee"]]:  # noqa: ASYNC110  # the service has no event for a test
            await asyncio.sleep(0.02)
    found = (await _alarms(city))[0]
    assert (found["kind"], found["addressee"], found["drill"]) == ("police", "gz", True)
    noted = await city.api.post(f"/v1/alarms/{found['id']}/acknowledge", json={"note": "我来"})
    assert (noted.status_code, noted.json()["note"]) == (200, "我来")
    assert await _alarms(city) == []


async def _alarms(city: City) -> list[dict[str, Any]]:
    answer = await city.api.get("/v1/alarms")
    found: list[dict[str, Any]] = msgspec.json.decode(answer.content)["items"]
    return found
