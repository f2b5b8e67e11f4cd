"""How our own PostgreSQL is set: what it is started with, what initdb makes, what stays ours."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DATABASE: Final = "kapok"
USER: Final = "kapok"

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "max_connections": "160",  # of eight workers, one that is taking over, and commands
        "shared_buffers": "64MB",  # the system caches the rest, and counts it for nobody
        "max_wal_size": "1GB",
        "max_slot_wal_keep_size": "4GB",  # an archive that is full never fills this disk too
        "jit": "off",  # our statements are short
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
    }
)
DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")
FIXED: Final = frozenset(
    {"data_directory", "listen_addresses", "logging_collector", "port"}
    | {"unix_socket_directories", "unix_socket_permissions"}
)
INITDB: Final = (
    *("--username", USER),
    *("--encoding", "UTF8"),
    *("--locale", "C"),  # one order everywhere, whatever the machine's C library says next year
    *("--auth-local", "trust"),  # the folder of the socket is the guard: 0700
    *("--auth-host", "reject"),
    "--data-checksums",
)
