"""A service with twelve units in a city of twenty-five grids, for commands to ask."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from dispatch.api import build
from dispatch.api.measured import Measured
from dispatch.auth import Grant, Role, token_hash
from dispatch.cli.codes import Code
from dispatch.cli.main import main
from geo.eta import Moves, StraightLine
from schemas.base import KeyId
from tests.dispatch.desk.test_coverage import Room
from tests.fakes import FakeDesk

KEY: Final = "kk_city"
WAIT_S: Final = 30.0


@contextmanager
def answering() -> Iterator[str]:
    """Serve on a free loopback port from a thread of its own; hand over the address."""
    desk = FakeDesk()
    grants = {KEY: Role.DISPATCHER, "kk_feed": Role.API_FEED}
    desk.keyring.replace(
        (token_hash(token), Grant(key_id=KeyId(token), role=role, juris="gz"))
        for token, role in grants.items()
    )
    room = Room(StraightLine(compiled=False), count=12, clock=desk.clock, moves=(Moves.FOOT,))
    desk.coverage = room.coverage
    app = build(desk, measured=Measured("0", CollectorRegistry()))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as port:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([port])))
        thread.start()
        try:
            yield f"http://127.0.0.1:{port.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(WAIT_S)


class Told:
    """What a command said that asks a service; some words it is always given."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *given: str) -> None:
        self._capsys = capsys
        self._given = given

    def __call__(self, *words: str, code: Code = Code.OK) -> str:
        """Run it; return what it printed. What is given twice counts as it is given last."""
        assert main([*self._given, *words]) == code
        said = self._capsys.readouterr()
        return said.err if code else said.out

    def json(self, *words: str) -> dict[str, Any]:
        """Run it; return its JSON."""
        found: dict[str, Any] = json.loads(self("--json", *words))
        return found
