"""The bases of all structs, the ids, and the shapes many of them share."""

from datetime import datetime
from typing import Annotated, NewType, dataclass_transform

import msgspec

UnitId = NewType("UnitId", str)
MemberId = NewType("MemberId", str)
DeviceId = NewType("DeviceId", str)
IncidentId = NewType("IncidentId", str)
OfferId = NewType("OfferId", str)
AssignmentId = NewType("AssignmentId", str)
KeyId = NewType("KeyId", str)

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Lon = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Lat = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Path = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{1,16}(\.[a-z0-9]{1,16}){0,4}$(?!\n)")]
"""A jurisdiction: one to five labels, from city to grid."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable value; made anew with `msgspec.structs.replace`."""


def ms(instant: datetime) -> float:
    """Return milliseconds since the epoch, as the wire has them."""
    return instant.timestamp() * 1000
