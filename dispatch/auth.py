"""Who may do what, and where: tokens by their hash, roles by what they may do, scope by path."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Final

from dispatch.core.errors import Forbidden, NotFound, Unauthenticated
from geo.jurisdiction import within
from schemas.base import KeyId, Record

KEY_PREFIX: Final = "kk"
DEVICE_PREFIX: Final = "kd"


class Role(StrEnum):
    """What an API key stands for."""

    API_FEED = "api_feed"
    DISPATCHER = "dispatcher"
    COMMANDER = "commander"
    REGISTRAR = "registrar"


class Right(StrEnum):
    """One thing that can be done."""

    REPORT = "report"
    OPEN = "open"
    SEE_INCIDENTS = "see_incidents"
    AMEND = "amend"
    CHANGE_INCIDENTS = "change_incidents"
    CANCEL = "cancel"
    CLOSE = "close"
    SEE_UNITS = "see_units"
    CHANGE_UNITS = "change_units"
    ORDER = "order"
    SET_DUTY = "set_duty"
    FOLLOW = "follow"
    READ_FEEDBACK = "read_feedback"
    NOTIFY = "notify"
    ANSWER_ALARMS = "answer_alarms"
    CLOSE_ROADS = "close_roads"


_DESK: Final = frozenset(
    {
        Right.REPORT,
        Right.OPEN,
        Right.SEE_INCIDENTS,
        Right.AMEND,
        Right.CHANGE_INCIDENTS,
        Right.CANCEL,
        Right.CLOSE,
        Right.SEE_UNITS,
        Right.SET_DUTY,
        Right.FOLLOW,
        Right.NOTIFY,
        Right.ANSWER_ALARMS,
        Right.CLOSE_ROADS,
    }
)
RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.API_FEED: frozenset(
        {
            Right.REPORT,
            Right.SEE_INCIDENTS,
            Right.AMEND,
            Right.CANCEL,
            Right.CLOSE,
            Right.READ_FEEDBACK,
        }
    ),
    Role.DISPATCHER: _DESK,
    Role.COMMANDER: _DESK | {Right.ORDER},
    Role.REGISTRAR: frozenset({Right.SEE_UNITS, Right.CHANGE_UNITS, Right.SET_DUTY}),
}


class Grant(Record, frozen=True, kw_only=True):
    """What an authenticated key may do: a role, under one jurisdiction."""

    key_id: KeyId
    role: Role
    juris: str

    def require(self, right: Right, juris: str | None = None) -> None:
        """Refuse what the role does not hold; what lies outside the scope does not exist."""
        if right not in RIGHTS[self.role]:
            raise Forbidden(f"role {self.role} may not {right}")
        if juris is not None and not within(juris, self.juris):
            raise NotFound("no such thing in your jurisdiction")


def rights(grant: Grant) -> frozenset[Right]:
    """Return all a grant's role holds."""
    return RIGHTS[grant.role]


def token_hash(token: str) -> bytes:
    """Return the SHA-256 under which a 256-bit random token is kept."""
    return sha256(token.encode()).digest()


class Keyring:
    """The API keys in force, by hash, as the store last gave them."""

    def __init__(self) -> None:
        self._grants: dict[bytes, Grant] = {}

    def replace(self, grants: Iterable[tuple[bytes, Grant]]) -> None:
        """Take the keys now in force; all others open nothing from here on."""
        self._grants = dict(grants)

    def authenticate(self, token: str) -> Grant:
        """Return what the key may do; raise `Unauthenticated` for any other."""
        grant = self._grants.get(token_hash(token))
        if grant is None:
            raise Unauthenticated("unknown or revoked key")
        return grant
