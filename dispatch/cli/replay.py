"""`kapok replay-protocol`: golden transcripts, played against any server."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click
import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from dispatch.cli.codes import Code, Failure
from dispatch.clock import SystemClock
from dispatch.phone.transcript import BadTranscript, Line, Mismatch, Notes, read
from schemas.base import Record
from schemas.wire import SUBPROTOCOL

HEAR_S: Final = 10.0
ASIDE: Final = frozenset({"policy", "pong", "locate"})
"""Frames that may come at any time: passed over where a line does not ask for them."""


class Phone(Record, frozen=True, kw_only=True):
    """A line of `kapok devices issue --all --out`."""

    unit: str
    token: str


class Replay:
    """One transcript being played: its sockets by name, what it has noted, where it calls."""

    def __init__(
        self, url: str, key: str, phones: Mapping[str, Phone], hear_s: float = HEAR_S
    ) -> None:
        self._clock = SystemClock()
        self._hear_s = hear_s
        self._url = url
        self._phones = phones
        self._sockets: dict[str, ClientConnection] = {}
        known = {f"{name}.{f}": getattr(p, f) for name, p in phones.items() for f in _FIELDS}
        self._notes = Notes(known, self._clock.new_id)
        self._http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=HEAR_S
        )

    async def play(self, lines: Iterable[Line]) -> None:
        """Take every step; raise `Mismatch` at the first that goes otherwise."""
        try:
            for number, line in enumerate(lines, 1):
                try:
                    await self._step(line)
                except Mismatch as error:
                    raise Mismatch(f"step {number}: {error}") from error
        finally:
            await self._http.aclose()
            for socket in self._sockets.values():
                socket.transport.abort()

    async def _step(self, line: Line) -> None:
        if line.connect is not None:
            for number in range(line.times):
                await self._connect(line.connect if line.times == 1 else f"{line.connect}{number}")
        elif line.say is not None:
            await self._say(line)
        elif line.hear is not None:
            await self._hear(line)
        elif line.closed is not None:
            await self._closed(line)
        elif line.drop is not None:
            self._drop(line.drop)
        elif line.call is not None:
            await self._call(line)

    def _drop(self, name: str) -> None:
        """Cut a socket, or all that were opened together."""
        many = re.compile(re.escape(name) + r"\d+")
        for one in [s for s in self._sockets if s == name or many.fullmatch(s)]:
            self._sockets.pop(one).transport.abort()

    async def _connect(self, name: str) -> None:
        address = f"{self._url.replace('http', 'ws', 1)}/v1/ws/unit"
        subprotocols = [Subprotocol(SUBPROTOCOL)]
        self._sockets[name] = await connect(
            address, subprotocols=subprotocols, compression=None, ping_interval=None, proxy=None
        )

    async def _say(self, line: Line) -> None:
        said = line.say
        if not isinstance(said, str):
            said = msgspec.json.encode(self._notes.filled(said, self._now_ms())).decode()
        await self._sockets[line.on].send(said)

    async def _hear(self, line: Line) -> None:
        """Hear the next frame, or some in whatever order."""
        wanted = list(line.hear) if isinstance(line.hear, list) else [line.hear]
        while wanted:
            frame = await self._next(line.on)
            found = next((w for w in wanted if w.get("t") == frame.get("t")), None)
            if found is not None:
                self._notes.match(found, frame)
                wanted.remove(found)
            elif frame.get("t") not in ASIDE:
                self._notes.match(wanted[0], frame)

    async def _next(self, name: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._hear_s):
                text = await self._sockets[name].recv()
        except TimeoutError as error:
            raise Mismatch(f"nothing heard on {name} for {self._hear_s:g} s") from error
        except ConnectionClosed as error:
            raise Mismatch(f"{name} was closed: {error}") from error
        frame: dict[str, Any] = msgspec.json.decode(text)
        return frame

    async def _closed(self, line: Line) -> None:
        socket = self._sockets[line.on]
        try:
            async with asyncio.timeout(self._hear_s):
                while True:
                    await socket.recv()
        except TimeoutError as error:
            raise Mismatch(f"{line.on} is still open") from error
        except ConnectionClosed:
            if socket.close_code != line.closed:
                raise Mismatch(f"closed by {socket.close_code}, not {line.closed}") from None
        if line.reason is not None:
            self._notes.match(line.reason, msgspec.json.decode(socket.close_reason or "null"))

    async def _call(self, line: Line) -> None:
        call = line.call
        if call is None:
            return
        headers = self._notes.filled(call.headers, self._now_ms())
        if call.phone is not None:
            headers["Authorization"] = f"Bearer {self._phones[call.phone].token}"
        body = None if call.body is None else self._notes.filled(call.body, self._now_ms())
        path = self._notes.path(call.path)
        answer = await self._http.request(call.method, path, json=body, headers=headers)
        if answer.status_code != line.status:
            raise Mismatch(f"{call.method} {path} answered {answer.status_code}: {answer.text}")
        if line.answer is not None:
            self._notes.match(line.answer, answer.json())

    def _now_ms(self) -> float:
        return round(self._clock.now().timestamp() * 1000)


_FIELDS: Final = ("unit", "token")


def cast(phones: Iterable[Phone]) -> dict[str, Phone]:
    """Give the parts: `lead` and `mate` are of one unit, `rival` is of another.

    Raises:
        Failure: the phones cannot play all parts.
    """
    by_unit: dict[str, list[Phone]] = {}
    for phone in phones:
        by_unit.setdefault(phone.unit, []).append(phone)
    crews = sorted(by_unit.values(), key=len, reverse=True)
    if len(crews) < 2 or len(crews[0]) < 2:  # noqa: PLR2004 - two units, two phones in one
        raise Failure("two phones of one unit and one of another are needed")
    return {"lead": crews[0][0], "mate": crews[0][1], "rival": crews[1][0]}


@click.command("replay-protocol")
@click.argument("url")
@click.option("--key", required=True, envvar="KAPOK_KEY", help="A dispatcher's API key.")
@click.option(
    "--phones",
    "phones_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file of `kapok devices issue --all --out`.",
)
@click.argument(
    "transcripts", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
def replay_protocol(url: str, key: str, phones_file: Path, transcripts: tuple[Path, ...]) -> int:
    """Play TRANSCRIPTS (tests/protocol/*.jsonl) against the server at URL.

    It opens drills there and answers them. The two phones of the first unit have to be on duty.
    """
    lines = phones_file.read_bytes().splitlines()
    parts = cast(msgspec.json.decode(line, type=Phone) for line in lines if line)
    failed = 0
    for file in transcripts:
        try:
            asyncio.run(Replay(url, key, parts).play(read(file.read_text())))
        except (Mismatch, BadTranscript, OSError, httpx.HTTPError) as error:
            failed += 1
            click.echo(f"{file.stem}: {error}", err=True)
        else:
            click.echo(f"{file.stem}: as written")
    return Code.FAILED if failed else Code.OK
