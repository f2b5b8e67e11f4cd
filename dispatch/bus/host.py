"""Which process this is, on which machine; and whether one of the same machine is dead."""

import os
import socket
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

from dispatch.ports import Clock, Node, NodeId

HOST_CHARS: Final = 24
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PIDS: Final = Path("/proc/self/ns/pid")
_PROCESSES: Final = Path("/proc")


def node_of(clock: Clock) -> Node:
    """Return this process as a node, new with every call."""
    return Node(
        id=NodeId(clock.new_id()),
        host=host(),
        pid=os.getpid(),
        started_at=clock.now(),
        build=version("kapok"),
    )


def host() -> str:
    """Return a name of where a pid means one process: this machine, this boot, these pids."""
    facts = f"{_BOOT.read_text()}{os.readlink(_PIDS)}"  # noqa: PTH115 - what it points to is no path
    return f"{socket.gethostname()}-{sha256(facts.encode()).hexdigest()}"[:HOST_CHARS]


def is_dead(node: Node) -> bool:
    """Say whether a node is known to be dead: of this host, and no such process."""
    return node.host == host() and not (_PROCESSES / str(node.pid)).exists()
