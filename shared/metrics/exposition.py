"""What Prometheus reads: the metrics of every service of the process, each metric once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import prometheus_client
from prometheus_client import ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from shared.metrics.catalogue import METRICS
from shared.metrics.service_metrics import Reading, ServiceMetrics

CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a service has counted, and what has just been read of it."""

    metrics: ServiceMetrics
    readings: Sequence[Reading]


def exposition(services: Sequence[Scraped]) -> bytes:
    """Return the answer to a scrape: the metrics of the catalogue, in its order, as far as they have values."""
    return generate_latest(_Scrape(services))


@dataclass(frozen=True, slots=True)
class _Scrape(Collector):
    services: Sequence[Scraped]

    def collect(self) -> Iterable[prometheus_client.Metric]:
        families = {
            metric.family: prometheus_client.Metric(metric.family, metric.meaning, metric.kind) for metric in METRICS
        }
        collectors: list[Collector] = [service.metrics.registry for service in self.services]
        for collector in (ProcessCollector(registry=None), *collectors):
            for found in collector.collect():
                if found.name in families:
                    # When a series began is a series more for each, and nobody asks for it.
                    samples = [sample for sample in found.samples if not sample.name.endswith("_created")]
                    families[found.name].samples.extend(samples)
        for service in self.services:
            for reading in service.readings:
                labels = zip(reading.metric.labels, (service.metrics.service, *reading.labels), strict=True)
                families[reading.metric.family].add_sample(reading.metric.name, dict(labels), reading.value)
        return [family for family in families.values() if family.samples]
