"""Requests are timed by the route that answers them, and by nothing that whoever asks has made up."""

import httpx

from services.ops.composition import build_services
from services.ops.documents.unconnected import UNCONNECTED
from shared.paths import API
from shared.service import build_app


async def test_requests_are_counted_by_service_route_and_kind_of_answer() -> None:
    services = build_services(["scheduler", "risk"], UNCONNECTED)
    app = build_app(services, UNCONNECTED, title="both")
    known, unknown = {"Authorization": f"Bearer {UNCONNECTED.operator_token.get_secret_value()}"}, {"Authorization": ""}
    asked = (("/runs/x", known), ("/runs/y", unknown), ("/risk?limit=0", known), ("/made/up", known), ("/docs", known))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://both") as client:
        answers = [(await client.get(API + path, headers=headers)).status_code for path, headers in asked]

    assert answers == [422, 401, 422, 404, 404]
    assert [
        (sample.labels["service"], sample.labels["route"], sample.labels["answer"], sample.value)
        for service in services
        for family in service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "sigmasight_request_seconds_count"
    ] == [("scheduler", "GET /runs/{run_id}", "4xx", 2.0), ("risk", "GET /risk", "4xx", 1.0)]
