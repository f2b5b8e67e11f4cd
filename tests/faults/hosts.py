"""Hosts of our own: network namespaces joined by a switch, each of which can be cut off.

Needs a network namespace that is ours alone (`in_private` gives one, without root too): nothing is
added to the machine's own network. This process is the host that is always joined.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from shutil import which
from typing import Final

PRIVATE: Final = "KAPOK_FAULTS_NETWORK"
NET: Final = "10.77.0"
SWITCH: Final = "switch"
HERE: Final = f"{NET}.254"
"""The address of this process on the switch."""
MORE: Final = tuple(f"{NET}.{n}" for n in range(200, 232))
"""More of its addresses, to dial from: a service counts by address."""


def possible() -> bool:
    """Tell whether this system lets us have namespaces."""
    if which("ip") is None or which("unshare") is None:
        return False
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, check=False)
    return tried.returncode == 0


def in_private(module: str, *arguments: str) -> None:
    """Start this program again in a network namespace of its own, unless it is in one."""
    if PRIVATE in os.environ:
        return
    own = 'ip link set dev lo up && exec "$@"'
    command = [*_unshare(), "sh", "-c", own, "sh", sys.executable, "-m", module, *arguments]
    os.environ[PRIVATE] = "private"
    os.execvp(command[0], command)  # noqa: S606 - no shell is the point


def _unshare() -> list[str]:
    """Return how a network namespace is had; an ordinary user is root inside his own."""
    return ["unshare", "--net", *(() if os.geteuid() == 0 else ("--map-root-user",))]


@dataclass(frozen=True)
class Host:
    """A namespace on the switch, held open by a process that sleeps."""

    name: str
    address: str
    holder: int

    def command(self, *command: str) -> list[str]:
        """Return how a command is run on this host."""
        return ["nsenter", "--target", str(self.holder), "--net", *command]

    async def cut(self) -> None:
        """Pull its cable: nothing gets through either way, and nobody is told."""
        await _ip("link", "set", "dev", self.name, "nomaster")

    async def join(self) -> None:
        """Put the cable back."""
        await _ip("link", "set", "dev", self.name, "master", SWITCH)


@asynccontextmanager
async def hosts(names: Sequence[str]) -> AsyncIterator[list[Host]]:
    """Give hosts on a switch that this process is joined to, too."""
    assert PRIVATE in os.environ, "call in_private first: this network is not ours"
    await _ip("link", "add", "name", SWITCH, "type", "bridge")
    for address in (HERE, *MORE):
        await _ip("addr", "add", f"{address}/24", "dev", SWITCH)
    await _ip("link", "set", "dev", SWITCH, "up")
    made = list[Host]()
    holders = list[asyncio.subprocess.Process]()
    try:
        for number, name in enumerate(names, 1):
            holder = await asyncio.create_subprocess_exec(
                "unshare",
                "--net",
                "sh",
                "-c",
                "echo; exec sleep infinity",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
            holders.append(holder)
            assert holder.stdout is not None
            await holder.stdout.readline()
            made.append(await _joined(Host(name, f"{NET}.{number}", holder.pid)))
        yield made
    finally:
        for holder in holders:
            holder.kill()
            await holder.wait()
        await _ip("link", "del", "dev", SWITCH)


async def _joined(host: Host) -> Host:
    await _ip(
        "link",
        "add",
        "name",
        host.name,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        str(host.holder),
    )
    await _ip("link", "set", "dev", host.name, "master", SWITCH, "up")
    for words in (
        ("link", "set", "dev", "lo", "up"),
        ("addr", "add", f"{host.address}/24", "dev", "eth0"),
        ("link", "set", "dev", "eth0", "up"),
    ):
        await _run(*host.command("ip", *words))
    return host


async def _ip(*words: str) -> None:
    await _run("ip", *words)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0, command
