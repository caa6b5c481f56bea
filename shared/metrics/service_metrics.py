"""What one service counts and times, in a registry of its own: services share processes and names of metrics."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.metrics.catalogue import METRICS, Kind, Metric

# From an event that only counts a part to a shard of a large night, and to a run over years.
BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a gauge at the moment of a scrape; `labels` without that of the service, which comes first."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


# Reads from the service's database: once a scrape, in one cheap statement.
GaugeReader = Callable[[AsyncConnection], Awaitable[Sequence[Reading]]]


class ServiceMetrics:
    """The counters and histograms of a service; its name is the first label of each."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        own = [metric for metric in METRICS if metric.labels[:1] == ("service",)]
        self._counters = {
            metric: Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)
            for metric in own
            if metric.kind is Kind.COUNTER
        }
        self._histograms = {
            metric: Histogram(metric.name, metric.meaning, metric.labels, registry=self.registry, buckets=BUCKETS_S)
            for metric in own
            if metric.kind is Kind.HISTOGRAM
        }

    def add(self, metric: Metric, *labels: str, amount: int = 1) -> None:
        """Count; an amount of 0 makes the series known before anything happens."""
        self._counters[metric].labels(self.service, *labels).inc(amount)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Note how much one of them was."""
        self._histograms[metric].labels(self.service, *labels).observe(value)
