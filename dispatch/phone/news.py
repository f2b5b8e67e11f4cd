"""What a session tells its app, each thing once."""

from typing import Any, Final, NamedTuple

from dispatch.phone.heard import Notice, Offer, Task, Welcome

UNKNOWN: Final = "unknown"
"""The centre does not know of it any more; where it was a task: call the desk."""


class Welcomed(NamedTuple):
    """The centre knows us; the news of its state follow one by one."""

    welcome: Welcome


class Offered(NamedTuple):
    """A new question: ring."""

    offer: Offer


class OfferChanged(NamedTuple):
    """The question is another; ring again only when `alert`."""

    offer: Offer
    alert: bool


class OfferEnded(NamedTuple):
    """Stop asking; an unknown `why` shows a generic text."""

    oid: str
    why: str


class Assigned(NamedTuple):
    """A task of this unit that was not known here."""

    task: Task


class TaskChanged(NamedTuple):
    """The task is other than it was.

    Where it says `confirm`, its fixes show that the unit is there: ask the person, and send
    `progress arrived` when he says so.
    """

    task: Task
    alert: bool


class TaskEnded(NamedTuple):
    """The task is over; `unknown` means: not known to the centre, call the desk."""

    aid: str
    why: str


class Noticed(NamedTuple):
    """A text to show; where it says `need_read`, tell when a person has read it."""

    notice: Notice


class NoticeEnded(NamedTuple):
    """The text was taken back: show it no longer."""

    nid: str


class Done(NamedTuple):
    """A command took effect and is on disk."""

    id: str
    result: dict[str, Any]


class Refused(NamedTuple):
    """A command was refused for good, and nothing changed.

    `unknown`: it was given to a centre that has lost its memory since, and is not sent again.
    """

    id: str
    code: str


class TokenFetched(NamedTuple):
    """From the next hello on this token is used: store it before anything else."""

    tok: str


class AskAgain(NamedTuple):
    """The answer to this offer is too old to be sent again: ask the person whether it stands.

    What he says is a new command with a new id.
    """

    oid: str


class Skipped(NamedTuple):
    """A frame of a kind this client does not know."""

    kind: str


News = (
    Welcomed
    | Offered
    | OfferChanged
    | OfferEnded
    | Assigned
    | TaskChanged
    | TaskEnded
    | Noticed
    | NoticeEnded
    | Done
    | Refused
    | TokenFetched
    | AskAgain
    | Skipped
)
