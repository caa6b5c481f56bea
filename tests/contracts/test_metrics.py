"""The page on metrics is written by hand: it says what the catalogue says, and nothing is measured beside it."""

import re
from pathlib import Path

from prometheus_client import Counter

from shared.metrics import catalogue
from shared.metrics.catalogue import METRICS, RUNS, RUNS_ACTIVE, Kind, Metric
from shared.metrics.exposition import Scraped, exposition
from shared.metrics.service_metrics import Reading, ServiceMetrics

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(\S+)` \| (\w+) \| (.*?) \| (.+?) \| (.+?) \|$", re.M)


def test_page_has_every_metric_of_the_catalogue_in_its_order() -> None:
    page = (ROOT / "docs/metrics.md").read_text()

    assert ROW.findall(page) == [
        (metric.name, metric.kind.value, " ".join(f"`{label}`" for label in metric.labels), metric.unit, metric.meaning)
        for metric in METRICS
    ]


def test_every_metric_that_is_named_is_in_the_list_once() -> None:
    named = [value for value in vars(catalogue).values() if isinstance(value, Metric)]
    assert sorted(metric.name for metric in named) == sorted(metric.name for metric in METRICS)
    assert len({metric.family for metric in METRICS}) == len(METRICS)


def test_names_end_as_prometheus_wants_it() -> None:
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.name.endswith("_seconds") >= (metric.unit == "seconds" and metric.kind is not Kind.COUNTER)


def test_metric_of_two_services_in_a_process_is_one_family_and_what_is_not_listed_is_left_out() -> None:
    first, second = ServiceMetrics("scheduler"), ServiceMetrics("risk")
    for metrics, count in ((first, 1), (second, 2)):
        metrics.add(RUNS, "nightly", "failed", amount=count)
    Counter("unheard_of", "nothing", registry=first.registry).inc()

    text = exposition([Scraped(first, [Reading(RUNS_ACTIVE, 3, ("nightly",))]), Scraped(second, [])]).decode()

    assert [line for line in text.splitlines() if "sigmasight" in line] == [
        "# HELP sigmasight_runs_total " + RUNS.meaning,
        "# TYPE sigmasight_runs_total counter",
        'sigmasight_runs_total{kind="nightly",service="scheduler",status="failed"} 1.0',
        'sigmasight_runs_total{kind="nightly",service="risk",status="failed"} 2.0',
        "# HELP sigmasight_runs_active " + RUNS_ACTIVE.meaning,
        "# TYPE sigmasight_runs_active gauge",
        'sigmasight_runs_active{kind="nightly",service="scheduler"} 3.0',
    ]
    assert "unheard_of" not in text
