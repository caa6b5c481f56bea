"""Sending spans to where they are collected; loaded only where somebody does."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from shared.tracing import ROOT_OF, Tracing, root_span_id


class _Ids(RandomIdGenerator):
    """Random ids, but of the span of a run: those follow from the run's."""

    def generate_span_id(self) -> int:
        run_id = ROOT_OF.get()
        return super().generate_span_id() if run_id is None else root_span_id(run_id)

    def generate_trace_id(self) -> int:
        run_id = ROOT_OF.get()
        return super().generate_trace_id() if run_id is None else run_id.int


def build_tracing(endpoint: str, *, service: str) -> Tracing:
    """Return what makes a service's spans and sends them, a batch every few seconds and the rest when it is closed."""
    resource = Resource.create({"service.name": service, "service.namespace": "sigmasight"})
    provider = TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    return Tracing(provider.get_tracer("sigmasight"), provider.shutdown)
