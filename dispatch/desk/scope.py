"""What a grant lets one see of the store: cases of one's jurisdiction, or that it is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dispatch.auth import Grant
from dispatch.core.decision import Actor
from dispatch.core.errors import NotFound, Unavailable
from dispatch.ports import StoreAway
from geo.jurisdiction import within
from schemas.incident import Case

API: Final = "api"


def actor_of(grant: Grant, via: str = API) -> Actor:
    """Return who acts, as the log names him."""
    return Actor(by=f"key:{grant.key_id}", via=via)


def in_scope(case: Case | None, grant: Grant | None) -> Case:
    """Return a case that is there and the asker's to see; what is not his does not exist."""
    if case is None:
        raise NotFound("no such incident")
    if grant is not None and not within(case.incident.juris, grant.juris):
        raise NotFound("no such incident")
    return case


@contextmanager
def available() -> Iterator[None]:
    """Say honestly that a look needs the store."""
    try:
        yield
    except StoreAway as away:
        raise Unavailable("the store does not answer; try again") from away
