"""Tokens of phones: whose they are, when they end, and how a phone fetches a new one by itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from dispatch.auth import DEVICE_PREFIX, token_hash
from dispatch.core.errors import Forbidden, Unauthenticated, Unavailable
from dispatch.desk import answers
from dispatch.live.roster import Roster
from dispatch.ports import Clock, Identity, Store, StoreAway
from schemas.base import ms
from schemas.wire import Ok, Refresh

log = structlog.get_logger()

LIVES: Final = timedelta(days=90)
OLD_LIVES: Final = timedelta(days=7)
"""How long at most the old token lives beside a new one that was never used."""

NewToken = Callable[[str], str]


def no_new_tokens(_: str) -> str:
    """Refuse: this process was given no dice to make tokens with."""
    raise Forbidden("tokens are not issued here")


class Tokens:
    """The tokens of all phones, by their hash."""

    def __init__(self, store: Store, roster: Roster, clock: Clock, new_token: NewToken) -> None:
        self._store, self._roster, self._clock = store, roster, clock
        self._new_token = new_token

    async def identify(self, token: str) -> Identity:
        """Return whose token this is; the first use of a fetched one ends all earlier ones.

        Raises:
            Unauthenticated: a look-up said no, or the token has ended.
            Unavailable: it could not be looked up.
        """
        hashed = token_hash(token)
        known = self._roster.find(hashed) or await self._look_up(hashed)
        if known.expires_at is not None and known.expires_at <= self._clock.now():
            raise Unauthenticated("the token has ended")
        if known.unused:
            await self._use(known, hashed)
        return known

    async def _look_up(self, hashed: bytes) -> Identity:
        try:
            found = await self._store.identify(hashed)
        except StoreAway as away:
            raise Unavailable("cannot check the token now") from away
        if found is None:
            raise Unauthenticated("unknown or revoked token")
        self._roster.add(hashed, found)
        return found

    async def _use(self, identity: Identity, hashed: bytes) -> None:
        """End the earlier tokens; while the store is away the phone is let in all the same."""
        try:
            await self._store.use_token(identity.device_id, hashed, self._clock.now())
            await self._reread(identity)
        except StoreAway:
            log.warning("token_use_not_kept", device=identity.device_id)

    async def refresh(self, identity: Identity, frame: Refresh) -> Ok:
        """Return a new token: nobody keeps it but the phone, so a lost answer is asked for anew.

        `exp` is when it ends, `till` when the one in use does unless the new one comes before.

        Raises:
            Unauthenticated: the phone was revoked.
            Unavailable: the store does not answer; nothing is known to have changed.
        """
        token, now = self._new_token(DEVICE_PREFIX), self._clock.now()
        ends = now + LIVES
        try:
            till = await self._store.add_token(
                identity.device_id, token_hash(token), ends, now + OLD_LIVES
            )
            await self._reread(identity)
        except StoreAway as away:
            raise Unavailable("the store does not answer; try again") from away
        if till is None:
            raise Unauthenticated("this phone was revoked")
        return answers.ok(frame.id, {"tok": token, "exp": ms(ends), "till": ms(till)})

    async def _reread(self, identity: Identity) -> None:
        device_id = identity.device_id
        self._roster.put_tokens(device_id, await self._store.identities(device_id))
