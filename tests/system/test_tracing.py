"""Where somebody collects spans, those of a night hang together: the run is the trace, and every service is in it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from services.market_data.settings import MarketDataSettings
from shared.contracts.services import SERVICES
from tests.support.platform import Platform, running_platform
from tests.support.stack import Servers

OPENED, NIGHT = date(2022, 12, 27), date(2022, 12, 28)
CSV = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\nAAPL,10,140,2022-11-01,"

# Each with the service that made it.
Spans = list[tuple[str, Span]]


@contextmanager
def _collector() -> Iterator[tuple[str, Spans]]:
    """Take spans as a collector does, and yield its address and what it has taken."""
    taken: Spans = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {each.key: each.value.string_value for each in of_resource.resource.attributes}
                taken.extend((names["service.name"], span) for scope in of_resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", taken
        server.shutdown()


async def _night(platform: Platform) -> UUID:
    entered = await platform.api.import_portfolio(
        "traced", CSV, opening_equity="10000", opened_on=str(OPENED), as_of=str(OPENED)
    )
    await platform.api.ended(entered["run_id"])
    night = await platform.api.run(kind="nightly", last_session=str(NIGHT))
    return UUID(night["run"]["run_id"])


async def test_spans_of_a_night_are_one_tree_under_the_run_with_every_service(
    own_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _collector() as (address, taken):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as platform:
            run_id = await _night(platform)

    spans = {span.span_id: (service, span) for service, span in taken if span.trace_id == run_id.bytes}
    roots = [span for _, span in spans.values() if span.parent_span_id not in spans]
    (root,) = roots
    assert (root.name, root.parent_span_id) == ("nightly run", b"")
    assert {service for service, _ in spans.values()} == set(SERVICES)

    assessed = next(span for _, span in spans.values() if span.name == "risk.assess_portfolios")
    attributes = {each.key: each.value.string_value for each in assessed.attributes}
    assert attributes | {"run": str(run_id), "part": "1/1", "outcome": "processed"} == attributes
    chain = [assessed.name]
    while (parent := spans[assessed.parent_span_id][1]) is not root:
        chain.append(parent.name)
        assessed = parent
    # A night goes over what is watched: the shards of risk are handed out with the last part of its inputs.
    assert chain[1].startswith("risk.store_")
    assert chain[-1] == "market_data.plan_run"
    assert root.start_time_unix_nano < assessed.start_time_unix_nano < root.end_time_unix_nano
