"""The unit socket: processor time of a location, memory of an idle phone, a storm of connects."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from time import sleep
from typing import Final, NamedTuple

from bench.harness.child import Child, child
from bench.harness.result import Found, Mark, Row, ratio

MOST_S: Final = 250.0
UNITS: Final = 23_334
PHONES: Final = 19_000
TALKING: Final = 4_600
"""Phones that share the rate: each stays under the one location a second it may send."""
FIXES_PER_S: Final = 2_300
ROUNDS: Final = 7
ROUND_S: Final = 2.0
STORMS: Final = 3
STORM_AT_ONCE: Final = 1_000
AT_ONCE: Final = 200
DIAL_WITHIN_S: Final = 60.0
SETTLE_S: Final = 2.0
FLOOR: Final = "bare websockets"
PEER: Final = "bare picows"
OURS: Final = "ours"
SERVERS: Final = {
    FLOOR: "bench.peers.bare_websockets",
    PEER: "bench.peers.bare_picows",
    OURS: "bench.peers.our_gateway",
}


class Storm(NamedTuple):
    """What came of all phones connecting at once."""

    phones: int
    failures: int
    seconds: float
    stall_ms: float
    kb: float


def measure(scale: float) -> Found:
    """Measure all servers that can be had."""
    servers = {n: m for n, m in SERVERS.items() if n != PEER or find_spec("picows")}
    units, phones = max(20, int(UNITS * scale)), max(10, int(PHONES * scale))
    talking = max(10, int(TALKING * scale))
    cpu = talks(servers, units, talking, FIXES_PER_S * scale, ROUND_S if scale >= 1 else 0.2)
    storms = {OURS: [storm(SERVERS[OURS], units, phones) for _ in range(STORMS)]}
    storms |= {name: [storm(m, units, phones)] for name, m in servers.items() if name != OURS}
    messages = {n: Row.of(f"{n}: a location", cpu.get(n, []), "us of CPU") for n in SERVERS}
    idle = f"an idle phone of {phones:,}"
    memory = {n: Row.of(f"{n}: {idle}", [s.kb for s in storms.get(n, [])], "KB") for n in SERVERS}
    to_floor = ratio(messages[OURS], messages[FLOOR])
    failures = sum(s.failures for s in storms[OURS])
    stall_ms = min(s.stall_ms for s in storms[OURS])
    return Found(
        rows=[*messages.values(), *memory.values(), *storm_rows(storms, phones)],
        ratios={
            "location, ours to bare websockets": to_floor,
            "location, ours to picows": ratio(messages[OURS], messages[PEER]),
            "idle phone, ours to bare websockets": ratio(memory[OURS], memory[FLOOR]),
        },
        marks={
            "location, ours to bare websockets": Mark.at_most(1.5, to_floor),
            "KB of an idle phone": Mark.at_most(25.0, memory[OURS].median),
            f"failures of {STORMS} x {phones:,} connects": Mark.at_most(0.0, float(failures)),
            f"longest stall in a storm, best of {STORMS}, ms": Mark.at_most(150.0, stall_ms),
        },
    )


def storm_rows(storms: dict[str, list[Storm]], phones: int) -> Iterator[Row]:
    """Yield what the storms were like."""
    for name, found in storms.items():
        yield Row.of(f"{name}: {phones:,} connects at once", [s.seconds for s in found], "s")
        yield Row.of(f"{name}: longest stall meanwhile", [s.stall_ms for s in found], "ms")
        yield Row.count(f"{name}: failures", sum(s.failures for s in found), "phones")


def talks(
    servers: dict[str, str], units: int, phones: int, per_s: float, seconds: float
) -> dict[str, list[float]]:
    """Return the microseconds of processor time per location, server by server in turn."""
    found: dict[str, list[float]] = {name: [] for name in servers}
    with ExitStack() as stack:
        lines = {
            name: stack.enter_context(connected(module, units, phones, AT_ONCE))
            for name, module in servers.items()
        }
        for turn in range(ROUNDS + 1):
            for name, (server, talkers) in lines.items():
                spent = _talk(server, talkers, per_s, seconds)
                found[name] += [spent] if turn else []
    return found


def _talk(server: Child, talkers: Child, per_s: float, seconds: float) -> float:
    before = server.cpu_s()
    told = talkers.ask("talk", per_s=per_s, seconds=seconds)
    spent_s = server.cpu_s() - before
    assert abs(told["pongs"] - told["sent"] / 10) <= 1, told
    return float(spent_s / told["sent"] * 1e6)


@contextmanager
def connected(module: str, units: int, phones: int, at_once: int) -> Iterator[tuple[Child, Child]]:
    """Run a server with phones online."""
    with child(module, units=units) as server:
        port = server.facts["port"]
        with child("bench.peers.talkers", port=port, phones=phones, at_once=at_once) as talkers:
            online = talkers.ask("dial", within_s=DIAL_WITHIN_S)
            assert online["online"] == phones, online
            yield server, talkers


def storm(module: str, units: int, phones: int) -> Storm:
    """Let all phones connect at once to a fresh server; then look what an idle one costs."""
    with child(module, units=units) as server:
        crowd = {"port": server.facts["port"], "phones": phones, "at_once": STORM_AT_ONCE}
        with child("bench.peers.talkers", **crowd) as talkers:
            before_kb = server.pss_kb()
            server.ask("watch")
            dialled = talkers.ask("dial", within_s=DIAL_WITHIN_S)
            stall_ms = server.ask("stall")["stall_ms"]
            sleep(SETTLE_S)
            kb = (server.pss_kb() - before_kb) / max(1, dialled["online"])
    failures = max(sum(dialled["failures"].values()), phones - dialled["online"])
    return Storm(phones, failures, dialled["seconds"], stall_ms, kb)
