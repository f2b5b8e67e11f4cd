"""/v1/alarms and /v1/desk/presence: what rings, at which desk, and who is there."""

from typing import Annotated, Final

from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from dispatch.api import cursor as cursors
from dispatch.api.access import needs
from dispatch.api.bodies import Strict
from dispatch.api.given import UUID, TheDesk, TheGrant, id_in
from dispatch.api.problems import bad_parameter
from dispatch.api.promises import issuing, listing
from dispatch.auth import Right
from dispatch.desk.alarms import alarm_view
from geo.jurisdiction import is_path
from schemas import notices as bodies
from schemas.alarm import AlarmId

MARK: Final = "alarms"

Addressee = Annotated[
    str | None,
    QueryParameter(description="Only alarms that the desk of this jurisdiction is asked about."),
]


class AlarmDesk(Controller):
    """Alarms of one's jurisdiction, and presence at its desks."""

    path = "/v1"
    tags = ("alarms",)
    return_dto = None

    @get(
        "/alarms",
        operation_id="list_alarms",
        summary="List open alarms",
        description="Newest first. An alarm goes to the lowest desk with somebody at it; not"
        " acknowledged in 30 s it goes to the next one up.",
        opt=needs(Right.ANSWER_ALARMS),
        responses=listing(),
    )
    async def page_of(
        self,
        desk: TheDesk,
        grant: TheGrant,
        addressee: Addressee = None,
        cursor: cursors.Cursor = None,
        limit: cursors.Limit = cursors.DEFAULT_LIMIT,
    ) -> bodies.AlarmPage:
        """Return a page of open alarms."""
        if addressee is not None and not is_path(addressee):
            raise bad_parameter("addressee", "expected a path like gz.huangpu.xiagang")
        before = AlarmId(cursors.decode(cursor, MARK, UUID)) if cursor else None
        found = await desk.alarms.page(grant, addressee, before, limit + 1)
        page, last = cursors.cut(found, limit)
        following = cursors.encode(MARK, last.id) if last else None
        return bodies.AlarmPage(items=[alarm_view(alarm) for alarm in page], next=following)

    @post(
        "/alarms/{alarm_id:str}/acknowledge",
        operation_id="acknowledge_alarm",
        summary="Take note of an alarm",
        description="It rings no further. Who comes second is shown who was first and changes"
        " nothing, so no idempotency key is needed.",
        opt=needs(Right.ANSWER_ALARMS),
        dto=Strict[bodies.AcknowledgeAlarm],
        status_code=200,
        responses=issuing(),
    )
    async def acknowledge(
        self,
        data: JSONBody[bodies.AcknowledgeAlarm],
        desk: TheDesk,
        grant: TheGrant,
        alarm_id: FromPath[str],
    ) -> bodies.AlarmView:
        """Take note, once."""
        alarm = AlarmId(id_in(alarm_id, UUID, "no such alarm"))
        return alarm_view(await desk.alarms.acknowledge(alarm, data.note, grant))

    @post(
        "/desk/presence",
        operation_id="be_present",
        summary="Say that somebody is at a desk",
        description="For 60 s: say it again while it is so. Whoever leaves says nothing.",
        opt=needs(Right.ANSWER_ALARMS),
        dto=Strict[bodies.AtDesk],
        status_code=200,
        responses=issuing(),
    )
    async def be_present(
        self, data: JSONBody[bodies.AtDesk], desk: TheDesk, grant: TheGrant
    ) -> bodies.Present:
        """Note that somebody is there."""
        until = await desk.alarms.attend(data.jurisdiction, grant)
        return bodies.Present(jurisdiction=data.jurisdiction, until=until)
