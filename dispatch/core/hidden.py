"""The jurisdiction that is on no map: what lies in it is the service's own, and nobody's business.

A grant sees what lies under its path, and no city lies under this one or above it.
"""

from typing import Final

HIDDEN: Final = "canary"


def is_hidden(juris: str) -> bool:
    """Say whether something is the service's own."""
    return juris == HIDDEN or juris.startswith(f"{HIDDEN}.")
