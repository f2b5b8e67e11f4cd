"""The HTTP twin of the unit socket: what a phone posts, and what it is answered."""

from typing import Annotated

from msgspec import Meta, Raw

from geo.datum import Datum
from schemas.rest import Body, View
from schemas.wire import BATCH_MAX, TWIN_FRAMES_MAX, Err, Ms, Ok, Pong, ReliableFrame

Frames = Annotated[
    list[Raw],
    Meta(
        min_length=1,
        max_length=TWIN_FRAMES_MAX,
        description="Frames as the unit socket takes them, all but hello; see the description of"
        " the socket. Each is answered by itself.",
    ),
]
Rows = Annotated[
    list[Raw],
    Meta(
        min_length=1,
        max_length=BATCH_MAX,
        description="[t_ms, lon, lat, acc_m, speed?, heading?, source?]: judged one by one.",
    ),
]


class DeviceMessages(Body, frozen=True, kw_only=True):
    """What a phone says without a socket; one bad frame never loses its neighbours."""

    frames: Frames


class DeviceLocation(Body, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Positions, as `loc` has them; a location service may add what it likes."""

    d: Datum
    ts: Ms
    f: Rows
    bat: float | None = None


class DeviceReplies(View, frozen=True, kw_only=True):
    """An answer to each frame, in their order, and what is not acknowledged yet."""

    replies: list[Pong | Ok | Err]
    out: list[ReliableFrame]
    epoch: str
    head: int
    now: float


class DeviceInbox(View, frozen=True, kw_only=True):
    """What is not acknowledged yet."""

    out: list[ReliableFrame]
    epoch: str
    head: int
    now: float


class DeviceStored(View, frozen=True, kw_only=True, omit_defaults=True):
    """How many rows count, which do not, and why none was taken at all."""

    stored: int
    bad: list[tuple[int, str]] = []
    why: str | None = None
