"""One tree of refusals; `code` is the contract with every client.

- Refusal
  - NotFound, Forbidden, Unauthenticated, Invalid, NotOnDuty, ConsentRequired
  - Conflict
    - Taken, Expired, Withdrawn, Cancelled, Stale
  - IdReuse
  - Temporary: Overloaded, RateLimited, Unavailable, NoRoom
"""

from schemas.wire import ErrorCode


class Refusal(Exception):
    """A command that was not carried out. Unless it says otherwise, nothing changed."""

    code = ErrorCode.INTERNAL

    def __init__(self, detail: str, *, path: str | None = None, state: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.path = path
        self.state = state


class NotFound(Refusal):
    """There is no such thing, or it is out of the asker's scope: both sound the same."""

    code = ErrorCode.NOT_FOUND


class Forbidden(Refusal):
    """The asker is known, and may not."""

    code = ErrorCode.FORBIDDEN


class Unauthenticated(Refusal):
    """The asker is not known."""

    code = ErrorCode.UNAUTHENTICATED


class Invalid(Refusal):
    """A value makes no sense; `path` names it."""

    code = ErrorCode.INVALID


class NotOnDuty(Refusal):
    """Only a member on duty, or on a call, may do this."""

    code = ErrorCode.NOT_ON_DUTY


class ConsentRequired(Refusal):
    """The member has not agreed to be located, or does so no more."""

    code = ErrorCode.CONSENT_REQUIRED


class Conflict(Refusal):
    """The tables hold no such transition from `state`."""

    code = ErrorCode.CONFLICT


class Taken(Conflict):
    """Others arrive sooner."""

    code = ErrorCode.TAKEN


class Expired(Conflict):
    """The offer is past its hard end."""

    code = ErrorCode.EXPIRED


class Withdrawn(Conflict):
    """The offer was called back."""

    code = ErrorCode.WITHDRAWN


class Cancelled(Conflict):
    """The incident was called off."""

    code = ErrorCode.CANCELLED


class Stale(Conflict):
    """The answer was tapped too long ago to be meant still."""

    code = ErrorCode.STALE


class IdReuse(Refusal):
    """The same id came with another payload."""

    code = ErrorCode.ID_REUSE


class Temporary(Refusal):
    """Worth the same id again after `retry_ms`."""

    retry_ms = 1000


class Overloaded(Temporary):
    """Too much at once."""

    code = ErrorCode.OVERLOADED


class RateLimited(Temporary):
    """Too much from this one."""

    code = ErrorCode.RATE_LIMITED


class Unavailable(Temporary):
    """The database does not answer; nothing is known to have changed."""

    code = ErrorCode.OVERLOADED


class NoRoom(Temporary):
    """The store is nearly full, and this can wait until people have made room; nothing changed."""

    code = ErrorCode.OVERLOADED
    retry_ms = 30_000
