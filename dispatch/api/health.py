"""/healthz, /readyz and /metrics: for whoever keeps the service running; they need no key."""

from litestar import Controller, Response, get
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_LATEST

from dispatch.api.access import PUBLIC
from dispatch.api.given import TheDesk, TheMeasured
from dispatch.api.promises import open_to_all
from schemas.rest import Health, Readiness


class Operations(Controller):
    """The state of the process."""

    tags = ("operations",)
    opt = PUBLIC

    @get(
        "/healthz",
        operation_id="get_health",
        summary="Whether the process is up",
        responses=open_to_all(),
    )
    async def health(self) -> Health:
        """Say that the process is up."""
        return Health()

    @get(
        "/readyz",
        operation_id="get_readiness",
        summary="Whether requests can be served",
        responses={
            503: ResponseSpec(
                Readiness, generate_examples=False, description="Not ready: see parts."
            ),
            **open_to_all(),
        },
    )
    async def readiness(self, desk: TheDesk) -> Response[Readiness]:
        """Say which part is ready; 503 while one is not."""
        parts = dict(desk.ready())
        state = Readiness(ready=all(parts.values()), parts=parts, degraded=desk.degraded())
        if state.ready:
            return Response(state)
        return Response(state, status_code=503, headers={"Retry-After": "1"})

    @get(
        "/metrics",
        operation_id="get_metrics",
        summary="Measurements, for Prometheus",
        media_type=CONTENT_TYPE_LATEST,
        responses=open_to_all(),
    )
    async def metrics(self, measured: TheMeasured) -> bytes:
        """Return the measurements of this machine's processes, each with the label `worker`."""
        return await measured.text()
