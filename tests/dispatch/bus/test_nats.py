"""The bus over NATS: whom it trusts, what it says when it cannot, and what it never keeps."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import structlog

from dispatch.bus.nats import NatsBus
from dispatch.bus.pending import BYTES_MOST
from dispatch.bus.server import NatsServer
from dispatch.ports import BODY_MOST, BusAway
from tests.patience import until

pytestmark = pytest.mark.asyncio

BOUND_S: Final = 20.0
GREETING: Final = {"server_id": "x", "version": "2.15.1", "headers": True, "max_payload": 2**20}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A running server."""
    running = NatsServer(tmp_path_factory.mktemp("nats"))
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(running.start())
        yield running
        runner.run(running.stop())


class Impostor:
    """Something that greets like a server, and writes down what it is told."""

    def __init__(self, **greeting: object) -> None:
        self.greeting = b"INFO %s\r\n" % json.dumps({**GREETING, **greeting}).encode()
        self.told = b""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Give the port."""
        listener = await asyncio.start_server(self._greet, "127.0.0.1", 0)
        async with listener:
            yield listener.sockets[0].getsockname()[1]

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        while said := await reader.readline():
            self.told += said
            if said.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()


async def why_not(*urls: str) -> str:
    """Return why a bus is not opened."""
    with pytest.raises(BusAway) as told:
        async with NatsBus.open(urls, name="test", within_s=0.3):
            pass
    return str(told.value)


async def test_no_server_is_told_with_its_address_and_without_the_password() -> None:
    """Whoever starts the service has to find the mistake."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        told = await why_not(f"nats://kapok:secret@127.0.0.1:{port}")
    assert f"nats://127.0.0.1:{port}: ConnectionRefusedError" in told
    assert "secret" not in told


async def test_a_wrong_password_is_told_without_it(server: NatsServer) -> None:
    """It may be nearly right."""
    host = server.url.partition("@")[2]
    told = await why_not(f"nats://kapok:nearly@{host}")
    assert "Authorization Violation" in told
    assert "nearly" not in told


@pytest.mark.parametrize("urls", [[], ["http://a:b@c"], ["nats://a", ""]])
async def test_what_is_no_address_is_refused_at_once(urls: list[str]) -> None:
    """Before anything is tried."""
    with pytest.raises(ValueError, match="address"):
        async with NatsBus.open(urls, name="test"):
            pass


async def test_a_password_is_not_told_to_who_does_without_tls() -> None:
    """Where the address says so, anybody may have put himself between."""
    impostor = Impostor(auth_required=True)
    async with impostor.listening() as port:
        told = await why_not(f"tls://kapok:secret@127.0.0.1:{port}")
    assert "does not require TLS" in told
    assert impostor.told == b""


@pytest.mark.parametrize(
    ("greeting", "why"),
    [({"max_payload": 65_536}, "max_payload"), ({"headers": False}, "no_header_support")],
)
async def test_a_server_that_cannot_serve_us_is_told_what_to_set(
    greeting: dict[str, object], why: str
) -> None:
    """At the start, not at the first large message."""
    async with Impostor(**greeting).listening() as port:
        assert why in await why_not(f"nats://127.0.0.1:{port}")


async def test_something_that_is_no_nats_is_told() -> None:
    """Whatever it says."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO \xff\xfe\r\n" * 3)
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        assert f"nats://127.0.0.1:{port}: Error" in await why_not(f"nats://127.0.0.1:{port}")


async def test_the_first_server_that_takes_us_is_taken(server: NatsServer) -> None:
    """Another one of the cluster may be away, or refuse."""
    gone = "nats://127.0.0.1:9"
    wrong = "nats://nobody@" + server.url.partition("@")[2]
    async with NatsBus.open([gone, wrong, server.url], name="test") as bus:
        assert bus.here


async def test_what_is_published_before_the_end_goes_out(server: NatsServer) -> None:
    """Leaving is quick, not sudden."""
    heard = list[bytes]()
    async with NatsBus.open([server.url], name="stays") as stays:
        await stays.subscribe("ev", lambda _, body: heard.append(body))
        async with NatsBus.open([server.url], name="leaves") as leaves:
            for number in range(500):
                leaves.publish("ev", b"%d" % number)
        assert not leaves.here
        assert not leaves.publish("ev", b"late")
        await until(lambda: len(heard) == 500)
    assert heard == [b"%d" % number for number in range(500)]


async def test_a_server_that_is_silent_is_away_and_the_queue_stays_bounded(
    server: NatsServer,
) -> None:
    """Nothing waits for an answer that does not come; nothing piles up either."""
    async with NatsBus.open([server.url], name="test") as bus:
        os.kill(server.pid, signal.SIGSTOP)
        body = b"1" * BODY_MOST
        burst = [bus.publish("ev", body) for _ in range(20)]
        assert burst == [True] * (BYTES_MOST // BODY_MOST) + [False] * (
            20 - BYTES_MOST // BODY_MOST
        )
        asked = asyncio.create_task(bus.ask("gw.b", b"", BOUND_S))
        with pytest.raises(BusAway):
            await asked
        await until(lambda: not bus.here)
        assert not bus.publish("ev", b"")
        os.kill(server.pid, signal.SIGCONT)
        await until(lambda: bus.here)
        assert bus.publish("ev", b"")


async def test_whoever_listens_to_everything_hears_no_private_talk(server: NatsServer) -> None:
    """A person who looks on at the bus does not make it fall silent either."""
    heard = list[str]()
    async with (
        NatsBus.open([server.url], name="curious") as curious,
        NatsBus.open([server.url], name="one") as one,
        NatsBus.open([server.url], name="other") as other,
    ):
        await curious.subscribe(">", lambda subject, _: heard.append(subject))
        await other.answer("gw.other", bytes.upper)
        assert await one.ask("gw.other", b"well", BOUND_S) == b"WELL"
        one.publish("ev", b"")
        await until(lambda: "ev" in heard)
        assert heard == ["ev"]
        assert await one._settle()


async def test_being_away_and_back_is_written_down_without_addresses(server: NatsServer) -> None:
    """Once each, however many attempts lie between."""
    with structlog.testing.capture_logs() as lines:
        async with NatsBus.open([server.url], name="test") as bus:
            watching = asyncio.create_task(server.watch())
            os.kill(server.pid, signal.SIGKILL)
            await until(lambda: not bus.here)
            await until(lambda: bus.here)
    watching.cancel()
    ours = [line for line in lines if line["event"] != "bus_server_back"]
    assert [line["event"] for line in ours] == ["bus_connected", "bus_away", "bus_back"]
    assert ours[1]["why"] == "UnexpectedEOF"
    assert "127.0.0.1" not in str(lines)


async def test_a_server_that_bars_a_subject_is_written_down_once(tmp_path: Path) -> None:
    """The connection stays; only somebody who reads this can help."""
    async with NatsServer(tmp_path) as server:
        config = json.loads((tmp_path / "nats.json").read_text())
        user, password = (config["authorization"].pop(word) for word in ("user", "password"))
        permissions = {"publish": ["_INBOX.>"], "subscribe": ["_INBOX.>", "ev"]}
        config["authorization"]["users"] = [
            {"user": user, "password": password, "permissions": permissions}
        ]
        (tmp_path / "nats.json").write_text(json.dumps(config))
        os.kill(server.pid, signal.SIGHUP)
        await until(lambda: "Reloaded: authorization users" in server.log_path.read_text())
        with structlog.testing.capture_logs() as lines:
            async with NatsBus.open([server.url], name="test") as bus:
                bus.publish("ev", b"1")
                bus.publish("ev", b"2")
                assert await bus._settle()
                assert bus.here
    barred = [line for line in lines if line["event"] == "bus_barred"]
    assert [line["log_level"] for line in barred] == ["error"]
    assert "publish to" in barred[0]["why"]
