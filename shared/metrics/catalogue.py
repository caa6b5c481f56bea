"""Every metric that is served at `/metrics`, and what it says: what is not listed here is not served.

`docs/metrics.md` is the same list, held to it by a test.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name : str
        As it is asked for; of a histogram without `_bucket`, `_sum` and `_count`.
    labels : tuple of str
        In the order in which values are given.
    unit : str
        Of its value.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    unit: str
    meaning: str

    @property
    def family(self) -> str:
        """The name that Prometheus' client groups the samples under."""
        return self.name.removesuffix("_total")


_CONSUMER: Final = ("service", "consumer")

EVENTS: Final = Metric(
    "sigmasight_events_total",
    Kind.COUNTER,
    (*_CONSUMER, "topic", "outcome"),
    "messages",
    "Messages by what became of them: processed, duplicate, cancelled, dead_letter, redelivery",
)
EVENT_SECONDS: Final = Metric(
    "sigmasight_event_seconds",
    Kind.HISTOGRAM,
    _CONSUMER,
    "seconds",
    "From the delivery of a message to its end, pauses between attempts included",
)
EVENT_RETRIES: Final = Metric(
    "sigmasight_event_retries_total",
    Kind.COUNTER,
    _CONSUMER,
    "attempts",
    "Attempts at a message that failed and were followed by another one in place",
)
CONSUMER_LAG: Final = Metric(
    "sigmasight_consumer_lag",
    Kind.GAUGE,
    (*_CONSUMER, "topic"),
    "messages",
    "Messages behind the one in hand, in the partitions that this process has; their sum over processes is the backlog",
)
RECEIVED: Final = Metric(
    "faststream_received_messages_total",
    Kind.COUNTER,
    ("app_name", "broker", "handler"),
    "messages",
    "FastStream's count of messages received, redelivered ones again; app_name is the service, handler the topic",
)
RECEIVED_BYTES: Final = Metric(
    "faststream_received_messages_size_bytes",
    Kind.HISTOGRAM,
    ("app_name", "broker", "handler"),
    "bytes",
    "FastStream's sizes of the messages received",
)
IN_PROCESS: Final = Metric(
    "faststream_received_messages_in_process",
    Kind.GAUGE,
    ("app_name", "broker", "handler"),
    "messages",
    "FastStream's count of messages in hand",
)
PUBLISHED: Final = Metric(
    "sigmasight_relay_published_total",
    Kind.COUNTER,
    ("service", "topic"),
    "messages",
    "Messages of the outbox that the broker has taken",
)
RELAY_SECONDS: Final = Metric(
    "sigmasight_relay_seconds",
    Kind.HISTOGRAM,
    ("service",),
    "seconds",
    "From the writing of a message into the outbox to its publication",
)
PARKED: Final = Metric(
    "sigmasight_relay_parked_total",
    Kind.COUNTER,
    ("service",),
    "messages",
    "Messages of the outbox that the broker will never take, which were put aside there",
)
OUTBOX_PENDING: Final = Metric(
    "sigmasight_outbox_pending", Kind.GAUGE, ("service",), "messages", "Messages of the outbox that wait for the relay"
)
OUTBOX_AGE: Final = Metric(
    "sigmasight_outbox_oldest_seconds",
    Kind.GAUGE,
    ("service",),
    "seconds",
    "How long the oldest of them has waited; 0 where none waits",
)
RUNS: Final = Metric(
    "sigmasight_runs_total",
    Kind.COUNTER,
    ("service", "kind", "status"),
    "runs",
    "Runs that have ended since the process began: completed, completed_with_errors, failed, cancelled",
)
RUNS_ACTIVE: Final = Metric(
    "sigmasight_runs_active", Kind.GAUGE, ("service", "kind"), "runs", "Runs that are under way or wait for their turn"
)
PARTS_OPEN: Final = Metric(
    "sigmasight_parts_open",
    Kind.GAUGE,
    ("service", "stage"),
    "parts",
    "Parts of a stage that runs under way still wait for, since its first part has said how many there are",
)
RUN_OLDEST: Final = Metric(
    "sigmasight_run_oldest_seconds",
    Kind.GAUGE,
    ("service", "kind"),
    "seconds",
    "How long ago the oldest of them was asked for; 0 where there is none",
)
RUN_SECONDS: Final = Metric(
    "sigmasight_run_seconds", Kind.HISTOGRAM, ("service", "kind"), "seconds", "From the request of a run to its end"
)
STAGE_SECONDS: Final = Metric(
    "sigmasight_stage_seconds",
    Kind.HISTOGRAM,
    ("service", "kind", "stage"),
    "seconds",
    "Of a run that has ended, from the end of what a stage waits for to its last part",
)
TRIGGER_LATE: Final = Metric(
    "sigmasight_trigger_late_seconds",
    Kind.GAUGE,
    ("service", "trigger"),
    "seconds",
    "For how long a trigger of the schedule has been due without an answer; 0: it was answered at all its times",
)
SCHEDULE_PAUSED: Final = Metric(
    "sigmasight_schedule_paused",
    Kind.GAUGE,
    ("service",),
    "1 or 0",
    "Whether the schedule asks for nothing: somebody has paused it, or it is switched off",
)
DEAD_LETTERS: Final = Metric(
    "sigmasight_dead_letters", Kind.GAUGE, ("service",), "messages", "Dead letters that nobody has dealt with yet"
)
PROVIDER_CALLS: Final = Metric(
    "sigmasight_provider_calls_total",
    Kind.COUNTER,
    ("service", "provider", "kind", "outcome"),
    "calls",
    "Calls of a provider for bars, profiles or statements of a shard, by outcome: answered, failed",
)
PROVIDER_SECONDS: Final = Metric(
    "sigmasight_provider_seconds",
    Kind.HISTOGRAM,
    ("service", "provider", "kind"),
    "seconds",
    "How long such a call took",
)
VENDOR_PAUSED: Final = Metric(
    "sigmasight_vendor_paused",
    Kind.GAUGE,
    ("service", "provider", "kind"),
    "1 or 0",
    "Whether no process asks a vendor for a kind for now, since it has failed",
)
VENDOR_USED: Final = Metric(
    "sigmasight_vendor_used_ratio",
    Kind.GAUGE,
    ("service", "provider", "window"),
    "share",
    "What is used up of the requests that a plan allows within a window of more than a minute, of so many seconds",
)
PRICES_HELD: Final = Metric(
    "sigmasight_prices_held",
    Kind.GAUGE,
    ("service",),
    "closes",
    "Closes that are held back until they are confirmed, accepted or refused",
)
BOOKS: Final = Metric(
    "sigmasight_books",
    Kind.GAUGE,
    ("service",),
    "portfolios",
    "Portfolios that are valued (portfolio) and assessed (risk) at all",
)
BOOKS_STALE: Final = Metric(
    "sigmasight_books_stale",
    Kind.GAUGE,
    ("service",),
    "portfolios",
    "Those open whose newest valuation is older than the last closed session, or assessment than that valuation",
)
BOOKS_BEHIND: Final = Metric(
    "sigmasight_books_behind_sessions",
    Kind.GAUGE,
    ("service",),
    "sessions",
    "By how many sessions the one that is furthest behind is",
)
REQUEST_SECONDS: Final = Metric(
    "sigmasight_request_seconds",
    Kind.HISTOGRAM,
    ("service", "route", "answer"),
    "seconds",
    "From a request over HTTP until its answer begins, by route and kind of status: 2xx, 4xx, 5xx",
)
DATABASE: Final = Metric(
    "sigmasight_database_up",
    Kind.GAUGE,
    ("service",),
    "1 or 0",
    "Whether the service's database has answered; where it has not, the gauges that are read from it are missing",
)
CPU: Final = Metric(
    "process_cpu_seconds_total", Kind.COUNTER, (), "seconds", "Processor time of the process, user and system"
)
MEMORY: Final = Metric("process_resident_memory_bytes", Kind.GAUGE, (), "bytes", "Memory that the process has in use")
STARTED: Final = Metric("process_start_time_seconds", Kind.GAUGE, (), "seconds since 1970", "When the process began")
OPEN_FILES: Final = Metric("process_open_fds", Kind.GAUGE, (), "files", "Files and connections that it has open")

METRICS: Final = (
    *(EVENTS, EVENT_SECONDS, EVENT_RETRIES, CONSUMER_LAG, RECEIVED, RECEIVED_BYTES, IN_PROCESS),
    *(PUBLISHED, RELAY_SECONDS, PARKED, OUTBOX_PENDING, OUTBOX_AGE),
    *(RUNS, RUNS_ACTIVE, PARTS_OPEN, RUN_OLDEST, RUN_SECONDS, STAGE_SECONDS),
    *(TRIGGER_LATE, SCHEDULE_PAUSED, DEAD_LETTERS),
    *(PROVIDER_CALLS, PROVIDER_SECONDS, VENDOR_PAUSED, VENDOR_USED, PRICES_HELD, BOOKS, BOOKS_STALE, BOOKS_BEHIND),
    *(REQUEST_SECONDS, DATABASE, CPU, MEMORY, STARTED, OPEN_FILES),
)
