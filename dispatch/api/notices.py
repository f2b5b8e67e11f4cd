"""/v1/notices: a text for many phones, how far it has come, and taking it back."""

from typing import Final

from litestar import Controller, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from msgspec.structs import replace

from dispatch.api import cursor as cursors
from dispatch.api.access import needs
from dispatch.api.answers import made
from dispatch.api.bodies import Strict, in_utc
from dispatch.api.given import UUID, TheDesk, TheGrant, TheInFlight, TheOnce, id_in
from dispatch.api.promises import issuing, listing, reading, registering
from dispatch.auth import Right
from dispatch.desk.notices import notice_view
from schemas import notices as bodies
from schemas.notice import NoticeId

MARK: Final = "notices"
SENT: Final = {
    **registering(bodies.NoticeView, 201),
    201: ResponseSpec(
        bodies.NoticeView, generate_examples=False, description="It is being sent; see `sent_at`."
    ),
}


class Notices(Controller):
    """Notices to the phones of one's jurisdiction."""

    path = "/v1/notices"
    tags = ("notices",)
    return_dto = None

    @post(
        operation_id="send_notice",
        summary="Send a notice",
        description="To all phones of a jurisdiction (that of the key where none is named), or of"
        " its units that stand in a polygon now. Phones that are away are told when they come, up"
        " to 24 h later.",
        opt=needs(Right.NOTIFY),
        dto=Strict[bodies.SendNotice],
        status_code=201,
        responses=SENT,
    )
    async def send(
        self,
        data: JSONBody[bodies.SendNotice],
        desk: TheDesk,
        grant: TheGrant,
        once: TheOnce,
        in_flight: TheInFlight,
    ) -> Response[bytes]:
        """Keep a notice to be sent, once."""
        until = data.expires_at and in_utc(data.expires_at, "/expires_at")
        body = replace(data, expires_at=until)
        with in_flight.hold(once):
            answer, replayed = await desk.notices.send(body, grant, once)
        return made(answer, "/v1/notices", replayed=replayed)

    @get(
        operation_id="list_notices",
        summary="List notices",
        description="Newest first, without their counts: read the notice itself.",
        opt=needs(Right.NOTIFY),
        responses=listing(),
    )
    async def page_of(
        self,
        desk: TheDesk,
        grant: TheGrant,
        cursor: cursors.Cursor = None,
        limit: cursors.Limit = cursors.DEFAULT_LIMIT,
    ) -> bodies.NoticePage:
        """Return a page of notices."""
        before = NoticeId(cursors.decode(cursor, MARK, UUID)) if cursor else None
        found = await desk.notices.page(grant, before, limit + 1)
        page, last = cursors.cut(found, limit)
        following = cursors.encode(MARK, last.id) if last else None
        items = [notice_view(notice, counted=False) for notice in page]
        return bodies.NoticePage(items=items, next=following)

    @get(
        "/{notice_id:str}",
        operation_id="get_notice",
        summary="Read a notice",
        description="With the phones it was addressed to, delivered to and read on so far.",
        opt=needs(Right.NOTIFY),
        responses=reading(),
    )
    async def read(
        self, desk: TheDesk, grant: TheGrant, notice_id: FromPath[str]
    ) -> bodies.NoticeView:
        """Return a notice."""
        return notice_view(await desk.notices.notice(_id(notice_id), grant))

    @post(
        "/{notice_id:str}/withdraw",
        operation_id="withdraw_notice",
        summary="Take a notice back",
        description="Whoever was not told is not; whoever was is told that it has ended. Taking"
        " it back again changes nothing, so no idempotency key is needed.",
        opt=needs(Right.NOTIFY),
        dto=Strict[bodies.WithdrawNotice],
        status_code=200,
        responses=issuing(),
    )
    async def withdraw(
        self,
        data: JSONBody[bodies.WithdrawNotice],
        desk: TheDesk,
        grant: TheGrant,
        notice_id: FromPath[str],
    ) -> bodies.NoticeView:
        """Take a notice back."""
        return notice_view(await desk.notices.withdraw(_id(notice_id), grant))


def _id(text: str) -> NoticeId:
    return NoticeId(id_in(text, UUID, "no such notice"))
