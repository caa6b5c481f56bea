"""Traces: a run is a trace, and what a consumer does with a message of it is a span.

A message names the span that it was written in, so the spans of a run hang together across services. What was written
in none, by a person's request or by the clock, hangs on the span of the run itself, which is recorded when the run has
ended; its id follows from the run's, so that everybody knows it before.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import (
    NoOpTracer,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    format_span_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.contracts.event import Event
from shared.contracts.scheduler import BatchCompleted, RunStatus

# The run whose own span is begun.
ROOT_OF: Final[ContextVar[UUID | None]] = ContextVar("root_of", default=None)
_HEADERS: Final = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Tracing:
    """What makes the spans of a service, and what sends the last of them; by default nobody collects any."""

    tracer: Tracer = field(default_factory=NoOpTracer)
    close: Callable[[], None] = lambda: None


def root_span_id(run_id: UUID) -> int:
    """Return the id of the span of a run."""
    return run_id.int & (2**64 - 1)


def trace_parent(event: Event) -> str:
    """Return the W3C trace context of a message that is written now."""
    run_id, current = event.run.run_id, get_current_span().get_span_context()
    # A message of one run may begin another.
    is_of_run = current.trace_id == run_id.int
    span_id = current.span_id if is_of_run else root_span_id(run_id)
    return f"00-{run_id.hex}-{format_span_id(span_id)}-{TraceFlags.SAMPLED:02x}"


@contextmanager
def consuming(tracer: Tracer, consumer: str, topic: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """Record what a consumer does with a message in the block; an exception that leaves it is the span's."""
    with tracer.start_as_current_span(
        consumer,
        context=_HEADERS.extract(headers),
        kind=SpanKind.CONSUMER,
        attributes={"messaging.system": "kafka", "messaging.destination.name": topic},
    ) as span:
        yield span


class RunSpans:
    """Records the span of each run whose end is announced."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def __call__(self, event: Event) -> None:
        """Take note of an announced event, if it is the end of a run."""
        if not isinstance(event, BatchCompleted) or event.requested_at is None or event.seconds is None:
            return
        run, ended_at = event.run, event.requested_at + timedelta(seconds=event.seconds)
        token = ROOT_OF.set(run.run_id)
        try:
            span = self._tracer.start_span(
                f"{run.kind} run", context=Context(), start_time=round(event.requested_at.timestamp() * 1e9)
            )
        finally:
            ROOT_OF.reset(token)
        span.set_attributes({"run": str(run.run_id), "status": event.status, "requested_by": run.requested_by})
        if event.status is RunStatus.FAILED:
            span.set_status(Status(StatusCode.ERROR, event.why))
        span.end(round(ended_at.timestamp() * 1e9))
