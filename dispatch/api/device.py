"""/v1/device: what a phone can do without a socket, woken by a push or behind a bad network."""

from typing import Annotated, Final

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import HeaderParameter, JSONBody, QueryParameter, SkipValidation

from dispatch.api.bodies import Strict
from dispatch.api.device_access import APP_HEADER, PHONES, Twin
from dispatch.api.places import HEADER as DATUM_HEADER
from dispatch.api.places import named
from dispatch.api.problems import AnyRequest, bad_parameter
from dispatch.api.promises import phone_asks, phone_says
from dispatch.ports import Identity
from geo.datum import Datum
from schemas.device import (
    DeviceInbox,
    DeviceLocation,
    DeviceMessages,
    DeviceReplies,
    DeviceStored,
)
from schemas.wire import Welcome

EPOCH_HEADER: Final = "Kapok-Epoch"

EpochHeader = Annotated[
    str | None,
    HeaderParameter(
        name=EPOCH_HEADER,
        description="The epoch of the last welcome: acknowledgements and `after` count in it only.",
    ),
]
AppHeader = Annotated[
    str | None,
    HeaderParameter(name=APP_HEADER, description="name/version of the app; one too old: 403."),
]
PhoneDatum = Annotated[
    Datum | None,
    HeaderParameter(name=DATUM_HEADER, description="The datum of all positions; required."),
]
After = Annotated[int, QueryParameter(ge=0, le=2**53, description="Only frames above this seq.")]


async def provide_phone_datum(kapok_datum: PhoneDatum = None) -> Datum:
    """Return the datum a phone wants; a map that guesses it is half a kilometre off."""
    if kapok_datum is None:
        raise bad_parameter(DATUM_HEADER, "name the datum: wgs84, gcj02 or bd09")
    return kapok_datum


async def provide_phone(request: AnyRequest) -> Identity:
    """Return whose phone asks, as the guard found it."""
    identity: Identity = request.auth
    return identity


TheTwin = NamedDependency[SkipValidation[Twin]]
ThePhone = NamedDependency[SkipValidation[Identity]]
TheWanted = NamedDependency[SkipValidation[Datum]]


class Device(Controller):
    """One phone, by its own token."""

    path = "/v1/device"
    tags = ("device",)
    opt = PHONES
    dependencies = {
        "phone": Provide(provide_phone),
        "wanted": Provide(provide_phone_datum),
    }
    return_dto = None

    @post(
        "/messages",
        operation_id="post_device_messages",
        summary="Say what would be said on the socket",
        description="Each frame is answered, in order; ids and replies are those of the socket, so"
        " a command sent on both happens once. `out` is what is not acknowledged yet.",
        dto=Strict[DeviceMessages],
        status_code=200,
        responses=phone_says(),
    )
    async def messages(
        self,
        data: JSONBody[DeviceMessages],
        twin: TheTwin,
        phone: ThePhone,
        wanted: TheWanted,
        kapok_epoch: EpochHeader = None,
        kapok_app: AppHeader = None,
    ) -> Response[DeviceReplies]:
        """Answer frames."""
        said = await twin.messages(phone, data.frames, wanted, kapok_epoch)
        return Response(said, headers=named(wanted))

    @get(
        "/state",
        operation_id="get_device_state",
        summary="Read what a welcome would say",
        responses=phone_asks(),
    )
    async def state(
        self,
        twin: TheTwin,
        phone: ThePhone,
        wanted: TheWanted,
        kapok_epoch: EpochHeader = None,
        kapok_app: AppHeader = None,
    ) -> Response[Welcome]:
        """Return the whole truth for this phone."""
        return Response(twin.state(phone, wanted, kapok_epoch), headers=named(wanted))

    @get(
        "/inbox",
        operation_id="get_device_inbox",
        summary="Read what is not acknowledged yet",
        responses=phone_asks(),
    )
    async def inbox(
        self,
        twin: TheTwin,
        phone: ThePhone,
        wanted: TheWanted,
        after: After = 0,
        kapok_epoch: EpochHeader = None,
        kapok_app: AppHeader = None,
    ) -> Response[DeviceInbox]:
        """Return frames of this phone's stream."""
        found = await twin.inbox(phone, after, wanted, kapok_epoch)
        return Response(found, headers=named(wanted))

    @post(
        "/location",
        operation_id="post_device_location",
        summary="Report positions",
        description="Off duty nothing is stored, and `why` says so: that is no error.",
        dto=Strict[DeviceLocation],
        status_code=200,
        responses=phone_says(),
    )
    async def location(
        self,
        data: JSONBody[DeviceLocation],
        twin: TheTwin,
        phone: ThePhone,
        kapok_app: AppHeader = None,
    ) -> DeviceStored:
        """Take positions."""
        return twin.location(phone, data)
