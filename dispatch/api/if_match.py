"""If-Match and ETag: a change that is made only to what the asker has seen (RFC 9110, 13.1.1)."""

import re
from typing import Annotated, Final

from litestar.di import NamedDependency
from litestar.params import HeaderParameter, SkipValidation

from dispatch.api.problems import AnyRequest, bad_parameter

HEADER: Final = "If-Match"
ETAG: Final = "ETag"
TAG: Final = re.compile(r'"([1-9][0-9]{0,8})"')
ANY: Final = "*"

IfMatchHeader = Annotated[
    str | None,
    HeaderParameter(
        name=HEADER,
        description='The `ETag` the asker saw, like `"7"`: the change is made to that version'
        " only. Without it, to whatever version there is.",
    ),
]
TheVersion = NamedDependency[SkipValidation[int | None]]


def etag(version: int) -> dict[str, str]:
    """Return the header that names a version."""
    return {ETAG: f'"{version}"'}


async def provide_version(request: AnyRequest, if_match: IfMatchHeader = None) -> int | None:
    """Return the version the asker saw; None where any will do."""
    given = request.headers.getall(HEADER, [])
    if not given or given == [ANY]:
        return None
    found = TAG.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None:
        raise bad_parameter(HEADER, 'send one version as it was told, like "7"')
    return int(found[1])
