"""What can be wrong with the embedded database; every message says what to do.

- EmbeddedError
  - BinariesMissingError, VersionMismatchError: no program, or none for this folder
  - FolderInUseError, FolderNotOursError, FolderOccupiedError: the data folder is somebody else's
  - SocketFolderError: the path is too long, or open to others
  - NotPermittedError: the system does not let root become somebody else
  - InitError, StartError, RestartError: the program said no; its last words are in the message
  - NotDurableError: an acknowledged row could be lost
  - NotRunningError: asked before `start` or after `stop`
"""

from pathlib import Path


class EmbeddedError(Exception):
    """The embedded database cannot be had; the message says what to do."""


class BinariesMissingError(EmbeddedError):
    """No usable PostgreSQL was found."""


class VersionMismatchError(EmbeddedError):
    """The data folder belongs to a major version of which no program is here."""


class FolderInUseError(EmbeddedError):
    """Another supervisor holds the data folder; `holder` is its pid when known."""

    def __init__(self, data: Path, holder: int | None) -> None:
        who = "another process" if holder is None else f"process {holder}"
        super().__init__(f"{data} is in use by {who}: stop it first, or name another folder")
        self.holder = holder


class FolderNotOursError(EmbeddedError):
    """The data folder holds something else, or belongs to another user."""


class FolderOccupiedError(EmbeddedError):
    """Old server processes on the data folder would not end."""


class SocketFolderError(EmbeddedError):
    """The socket's folder cannot be used."""


class NotPermittedError(EmbeddedError):
    """Running as root needs a user namespace, and the system refuses one."""


class InitError(EmbeddedError):
    """A new data folder could not be made."""


class StartError(EmbeddedError):
    """The server ended, or stayed silent, before it answered."""


class RestartError(EmbeddedError):
    """A dead server did not come back after every attempt."""


class NotDurableError(EmbeddedError):
    """A setting that keeps acknowledged rows is off."""


class NotRunningError(EmbeddedError):
    """There is no server: `start` was not called, or `stop` was."""
