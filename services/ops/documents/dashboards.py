"""Write Grafana's dashboards: ``python -m services.ops.documents.dashboards`` writes deploy/grafana/dashboards/."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.ops.documents.schemas import rendered

DIRECTORY = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"
# Of Grafana's grid, which is 24 wide.
_WIDTH, _HEIGHT = 12, 8
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture of an expression over time; units are called as Grafana calls them, series by their labels."""

    title: str
    unit: str
    expression: str
    legend: str


def _rate(metric: str, by: str, *, where: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def _quantile(share: float, metric: str, by: str, *, where: str = "") -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{where}}}[$__rate_interval])))"


_ASKED: Final = "sigmasight_provider_calls_total"
_ASKING: Final = "{{provider}} {{kind}}"
_REQUESTS: Final = "sigmasight_request_seconds"

DASHBOARDS: Final[dict[str, tuple[Panel, ...]]] = {
    "night": (
        Panel("Runs under way", "short", "sum by (kind) (sigmasight_runs_active)", "{{kind}}"),
        Panel("The oldest of them", "s", "max by (kind) (sigmasight_run_oldest_seconds)", "{{kind}}"),
        Panel("Parts that they wait for", "short", "max by (stage) (sigmasight_parts_open)", "{{stage}}"),
        Panel("Runs that end", "ops", _rate("sigmasight_runs_total", "kind, status"), "{{kind}} {{status}}"),
        Panel("Seconds of a run", "s", _quantile(0.5, "sigmasight_run_seconds", "kind"), "{{kind}}"),
        Panel(
            "Seconds of a stage", "s", _quantile(0.5, "sigmasight_stage_seconds", "kind, stage"), "{{kind}} {{stage}}"
        ),
        Panel("Triggers that nobody answers", "s", "max by (trigger) (sigmasight_trigger_late_seconds)", "{{trigger}}"),
        Panel("Schedule is paused", "bool", "max(sigmasight_schedule_paused)", "paused"),
        Panel("Books behind", "short", "max by (service) (sigmasight_books_stale)", "{{service}}"),
        Panel("Sessions behind", "short", "max by (service) (sigmasight_books_behind_sessions)", "{{service}}"),
    ),
    "bus": (
        Panel("Messages", "ops", _rate("sigmasight_events_total", "consumer, outcome"), "{{consumer}} {{outcome}}"),
        Panel("Seconds of a message", "s", _quantile(0.95, "sigmasight_event_seconds", "consumer"), "{{consumer}}"),
        Panel("Behind", "short", "sum by (consumer) (sigmasight_consumer_lag)", "{{consumer}}"),
        Panel("Attempts again", "ops", _rate("sigmasight_event_retries_total", "consumer"), "{{consumer}}"),
        Panel("Outbox", "short", "max by (service) (sigmasight_outbox_pending)", "{{service}}"),
        Panel("Outbox, the oldest", "s", "max by (service) (sigmasight_outbox_oldest_seconds)", "{{service}}"),
        Panel("From outbox to broker", "s", _quantile(0.95, "sigmasight_relay_seconds", "service"), "{{service}}"),
        Panel("Published", "ops", _rate("sigmasight_relay_published_total", "topic"), "{{topic}}"),
        Panel("Never taken by the broker", "short", "sum by (service) (sigmasight_relay_parked_total)", "{{service}}"),
        Panel("Dead letters", "short", "max(sigmasight_dead_letters)", "open"),
    ),
    "vendors": (
        Panel("Calls", "ops", _rate(_ASKED, "provider, kind, outcome"), "{{provider}} {{kind}} {{outcome}}"),
        Panel("Seconds of a call", "s", _quantile(0.95, "sigmasight_provider_seconds", "provider, kind"), _ASKING),
        Panel("Not asked for now", "bool", "max by (provider, kind) (sigmasight_vendor_paused)", _ASKING),
        Panel(
            "Used up of a plan",
            "percentunit",
            "max by (provider, window) (sigmasight_vendor_used_ratio)",
            "{{provider}} {{window}} s",
        ),
    ),
    "data quality": (
        Panel("Closes that wait for a decision", "short", "max(sigmasight_prices_held)", "held"),
        Panel("Books", "short", "max by (service) (sigmasight_books)", "{{service}}"),
        Panel("Books behind", "short", "max by (service) (sigmasight_books_stale)", "{{service}}"),
        Panel("Calls that fail", "ops", _rate(_ASKED, "provider, kind", where='outcome="failed"'), _ASKING),
    ),
    "api": (
        Panel("Requests", "reqps", _rate(f"{_REQUESTS}_count", "service, answer"), "{{service}} {{answer}}"),
        Panel("Slowest routes", "s", f"topk(10, {_quantile(0.95, _REQUESTS, 'route')})", "{{route}}"),
        Panel("Refused", "reqps", _rate(f"{_REQUESTS}_count", "route", where='answer="4xx"'), "{{route}}"),
        Panel("Failed", "reqps", _rate(f"{_REQUESTS}_count", "route", where='answer="5xx"'), "{{route}}"),
        Panel("Processor", "percentunit", "rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}"),
        Panel("Memory", "bytes", "process_resident_memory_bytes", "{{instance}}"),
        Panel("Open files", "short", "process_open_fds", "{{instance}}"),
        Panel("Databases", "bool", "min by (service) (sigmasight_database_up)", "{{service}}"),
    ),
}


def dashboard(name: str) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    return {
        "uid": f"sigmasight-{name.replace(' ', '-')}",
        "title": f"SigmaSight: {name}",
        "tags": ["sigmasight"],
        "schemaVersion": 39,
        "refresh": "15s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": list(_panels(DASHBOARDS[name])),
    }


def _panels(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    for place, panel in enumerate(panels):
        row, column = divmod(place, 24 // _WIDTH)
        yield {
            "id": place + 1,
            "title": panel.title,
            "type": "timeseries",
            "datasource": _SOURCE,
            "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [{"refId": "A", "expr": panel.expression, "legendFormat": panel.legend, "datasource": _SOURCE}],
        }


def file_of(name: str) -> Path:
    """Return where a dashboard is kept."""
    return DIRECTORY / f"{name.replace(' ', '-')}.json"


if __name__ == "__main__":
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for each in DASHBOARDS:
        file_of(each).write_text(rendered(dashboard(each)))
