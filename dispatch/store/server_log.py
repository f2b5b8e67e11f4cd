"""What initdb and the server say, in a file that stays short while they write to it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

BYTES: Final = 16 * 2**20
"""The log and the one before it are each about this long at most."""
LAST_WORDS_BYTES: Final = 2_000


class ServerLog:
    """The log of one server; `<name>.log.1` is the part before."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def trim(self) -> None:
        """Keep the log bounded; the server goes on appending to the same, now empty, file.

        Where the disk has no room for the part before, that part is lost.
        """
        with suppress(FileNotFoundError):
            if self.path.stat().st_size > BYTES:
                self._keep(self.path.with_suffix(".log.1"))
                os.truncate(self.path, 0)

    def _keep(self, before: Path) -> None:
        try:
            shutil.copyfile(self.path, before)
        except OSError:
            before.unlink(missing_ok=True)

    def last_words(self) -> str:
        """Return the end of the log, and where it is."""
        with self.path.open("rb") as log:
            log.seek(max(0, self.path.stat().st_size - LAST_WORDS_BYTES))
            return f"{log.read().decode(errors='replace').strip()} (from {self.path})"
