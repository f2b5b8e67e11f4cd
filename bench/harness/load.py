"""`kapok load` as a process: all phones of a filled city on a running service, and its report."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.harness.kapok import kapok
from bench.harness.serving import Filled, Serving
from dispatch.cli.load.phone_file import Token
from dispatch.cli.load.report import Report

KEY: Final = "load.key"
PHONES: Final = "phones.jsonl"
REPORT: Final = "report.json"


class Load:
    """A load under way; beside the data folder lie its key, its phones and its report."""

    def __init__(self, process: asyncio.subprocess.Process, beside: Path) -> None:
        self._process = process
        self._beside = beside

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None

    @property
    def report(self) -> Report:
        """Return its report once it is over; without one it has said why on standard error.

        Raises:
            RuntimeError: there is none.
        """
        path = self._beside / REPORT
        if not path.exists():
            raise RuntimeError(f"kapok load ended with {self._process.returncode} and no report")
        return msgspec.json.decode(path.read_bytes(), type=Report)


@asynccontextmanager
async def loading(filled: Filled, service: Serving, asked: Iterable[str]) -> AsyncIterator[Load]:
    """Run it with all phones; it speaks where we do, and ends with us, whatever happens."""
    beside = filled.folder.parent
    _write(filled, beside)
    command = (
        *("load", "--url", service.url, "--server-pid", str(service.pid)),
        *("--key-file", str(beside / KEY), "--phones-file", str(beside / PHONES)),
        *("--report", str(beside / REPORT), *asked),
    )
    async with kapok(*command) as process:
        yield Load(process, beside)


def _write(filled: Filled, beside: Path) -> None:
    phones = [Token(device=one.device, token=one.token, unit=one.unit) for one in filled.issued]
    (beside / KEY).write_text(filled.key)
    (beside / PHONES).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in phones))
