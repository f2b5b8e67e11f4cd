"""Calls: incidents at plausible places, opened by REST as any client would."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

import httpx
import numpy as np

from geo.city import IncidentPlace
from geo.datum import Datum, point_from_wgs84
from schemas.base import Record
from schemas.plan import IncidentKind as K

TIMEOUT_S: Final = 5.0
TRIES_S: Final = 30.0
PAUSE_S: Final = 0.5
AT_ONCE: Final = 64
PLACES_AT_ONCE: Final = 256
ACKNOWLEDGED: Final = frozenset({200, 201})
TRY_AGAIN: Final = frozenset({409, 429, 500, 502, 503, 504})
"""What the service says may be sent again under its key, and what stands between us may say."""
ELSEWHERE: Final = frozenset({"invalid", "forbidden"})
"""How a place is refused that lies beyond the city, or beyond what the key sees."""
PLACES_MOST: Final = 3
"""A call is made from so many places; who is refused in all of them is refused for good."""

LEAVES: Final = "http11.send_request_headers.started"
"""What httpx calls the moment at which a request goes out on its connection."""

KINDS: Final[tuple[tuple[K, int, float, str], ...]] = (
    (K.CARDIAC_ARREST, 1, 0.05, "老人倒地无呼吸"),
    (K.INJURY, 2, 0.14, "路人摔伤"),
    (K.ILLNESS, 2, 0.12, "突发疾病"),
    (K.FIRE, 1, 0.06, "楼道冒烟"),
    (K.TRAFFIC, 3, 0.18, "车辆碰撞"),
    (K.VIOLENCE, 1, 0.05, "持械斗殴"),
    (K.DISTURBANCE, 3, 0.16, "邻里纠纷"),
    (K.THEFT, 3, 0.10, "商铺被盗"),
    (K.MISSING_PERSON, 2, 0.05, "儿童走失"),
    (K.HAZARD, 4, 0.09, "井盖缺失"),
)
"""Kind, priority, share of all calls, title."""
ON_BANK: Final = (K.WATER_RESCUE, 1, "有人落水")


class Places(Protocol):
    """Wherever something may happen: a city, for one."""

    def incident_places(self, rng: np.random.Generator, count: int) -> list[IncidentPlace]:
        """Return so many places."""


class Post(NamedTuple):
    """An incident that was acknowledged: when it was sent first, and when answered, in ms."""

    incident: str
    sent_ms: float
    answered_ms: float


class Called(Record, frozen=True, kw_only=True):
    """What became of the calls so far; `repeated` were sent again under the same key.

    `moved`: made anew from another place. `codes`: of those refused, how many for which reason.
    """

    sent: int = 0
    acknowledged: int = 0
    repeated: int = 0
    moved: int = 0
    refused: int = 0
    given_up: int = 0
    codes: Mapping[str, int] = {}


class Caller:
    """Opens incidents at a steady rate until told to stop; each is sent until it is answered.

    `tries_s`: how long one is tried before it is given up. `now_ms`: the clock of `posts`, by
    default the loop's, which is nobody else's. A rate of 0 opens none.
    """

    def __init__(
        self,
        city: Places,
        url: str,
        token: str,
        per_minute: float,
        dice: np.random.Generator,
        new_id: Callable[[], str],
        *,
        source: str = "demo",
        drill: bool = False,
        tries_s: float = TRIES_S,
        now_ms: Callable[[], float] | None = None,
    ) -> None:
        self.posts: list[Post] = []
        self._source, self._drill, self._tries_s = source, drill, tries_s
        self._now_ms = now_ms or _loop_ms
        self._per_minute = per_minute
        self._dice = dice
        self._new_id = new_id
        self._places = self._all_places(city)
        self._sent = self._given_up = self._repeated = self._moved = 0
        self._codes: Counter[str] = Counter()
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=TIMEOUT_S,
            headers={"Authorization": f"Bearer {token}"},
            limits=httpx.Limits(max_connections=AT_ONCE),
        )

    @property
    def acknowledged(self) -> list[str]:
        """Return the incidents that were answered as opened."""
        return [post.incident for post in self.posts]

    @property
    def called(self) -> Called:
        """Return the counts as they stand."""
        return Called(
            sent=self._sent,
            acknowledged=len(self.posts),
            repeated=self._repeated,
            moved=self._moved,
            refused=self._codes.total(),
            given_up=self._given_up,
            codes=dict(self._codes),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Call until `stop`, then wait for the last answers."""
        loop = asyncio.get_running_loop()
        async with self._client, asyncio.TaskGroup() as group:
            next_at = loop.time()
            while self._per_minute and not stop.is_set():
                group.create_task(self._call())
                next_at += 60 / self._per_minute
                await _until(stop, next_at - loop.time())

    async def _call(self) -> None:
        """Make one call; anew from elsewhere where the place is not the service's own."""
        self._sent += 1
        for places_left in reversed(range(PLACES_MOST)):
            leaving = _Leaving(self._now_ms)
            body = self._body(next(self._places))
            answer = await self._answer(body, self._new_id(), leaving)
            if answer is None or not places_left or not _is_elsewhere(answer):
                break
            self._moved += 1
        if answer is None:
            self._given_up += 1
        else:
            self._note(answer, leaving.sent_ms)

    async def _answer(
        self, body: dict[str, object], key: str, leaving: "_Leaving"
    ) -> httpx.Response | None:
        """Send until there is an answer for good; `None` where there is none in its time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._tries_s
        while loop.time() < deadline:
            answer = await self._post(body, key, leaving)
            if answer is not None:
                return answer
            self._repeated += 1
            leaving.again = True
            await asyncio.sleep(PAUSE_S)
        return None

    async def _post(
        self, body: dict[str, object], key: str, leaving: "_Leaving"
    ) -> httpx.Response | None:
        """Send once; `None` where it is worth sending again under the same key."""
        try:
            answer = await self._client.post(
                "/v1/incidents",
                json=body,
                headers={"Idempotency-Key": key},
                extensions={"trace": leaving.note},
            )
        except httpx.TransportError:
            return None
        return None if answer.status_code in TRY_AGAIN else answer

    def _note(self, answer: httpx.Response, sent_ms: float) -> None:
        if answer.status_code in ACKNOWLEDGED:
            self.posts.append(Post(answer.json()["id"], sent_ms, self._now_ms()))
        else:
            self._codes[_code(answer)] += 1

    def _body(self, place: IncidentPlace) -> dict[str, object]:
        kind, priority, title = ON_BANK if place.on_bank else self._kind()
        datum = Datum.GCJ02 if self._dice.random() < 0.5 else Datum.WGS84  # noqa: PLR2004 - one call in two
        given = point_from_wgs84(place.point, datum)
        return {
            "kind": kind,
            "priority": priority,
            "title": title,
            "position": {"lon": given.lon, "lat": given.lat, "datum": datum},
            "source": self._source,
            "drill": self._drill,
        }

    def _kind(self) -> tuple[K, int, str]:
        shares = np.array([share for _, _, share, _ in KINDS])
        kind, priority, _, title = KINDS[self._dice.choice(len(KINDS), p=shares / shares.sum())]
        return kind, priority, title

    def _all_places(self, city: Places) -> Iterator[IncidentPlace]:
        while True:
            yield from city.incident_places(self._dice, PLACES_AT_ONCE)


class _Leaving:
    """When a call was sent first: as its first request went out, whatever our own library takes.

    One that has to be sent `again` was sent when it was tried, or left, for the first time.
    """

    def __init__(self, now_ms: Callable[[], float]) -> None:
        self.sent_ms = now_ms()
        self.again = False
        self._now_ms = now_ms

    async def note(self, event: str, _about: Mapping[str, object]) -> None:
        """Take note of what httpx does with a request."""
        if event == LEAVES and not self.again:
            self.sent_ms = self._now_ms()


def _is_elsewhere(answer: httpx.Response) -> bool:
    """Tell whether a place may be why it was refused: only the service knows its borders."""
    return answer.status_code not in ACKNOWLEDGED and _code(answer) in ELSEWHERE


def _code(answer: httpx.Response) -> str:
    """Return why a call was refused, by the code of its problem; by its status without one."""
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)


def _loop_ms() -> float:
    return asyncio.get_running_loop().time() * 1000


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Wait for the moment, or for `stop` if that is sooner."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await stop.wait()
    except TimeoutError:
        return
