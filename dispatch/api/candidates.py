"""/v1/candidates: who would be asked; nothing is sent."""

from litestar import Controller, post
from litestar.params import JSONBody

from dispatch.api.access import needs
from dispatch.api.bodies import Strict
from dispatch.api.given import TheDesk, TheGrant
from dispatch.api.incidents import call_in_utc
from dispatch.api.promises import preview
from dispatch.auth import Right
from schemas import rest


class CandidateUnits(Controller):
    """Candidates of an incident that is not opened."""

    path = "/v1/candidates"
    tags = ("candidates",)
    return_dto = None

    @post(
        operation_id="preview_candidates",
        summary="See who would be asked",
        description="The body is that of an incident to open. Nothing is opened and nothing sent,"
        " so no idempotency key is needed.",
        opt=needs(Right.SEE_UNITS),
        dto=Strict[rest.OpenIncident],
        status_code=200,
        responses=preview(),
    )
    async def preview(
        self, data: JSONBody[rest.OpenIncident], desk: TheDesk, grant: TheGrant
    ) -> rest.Candidates:
        """Return the candidates with ETA, ring, reasons and shortfall."""
        return await desk.candidates(call_in_utc(data), grant)
