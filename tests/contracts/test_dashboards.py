"""Grafana's dashboards: current, and of metrics and labels that are served."""

import re

import pytest

from services.ops.documents.dashboards import DASHBOARDS, DIRECTORY, Panel, dashboard, file_of
from services.ops.documents.schemas import rendered
from shared.metrics.catalogue import METRICS

PANELS = [panel for panels in DASHBOARDS.values() for panel in panels]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboard_in_the_repository_is_current(name: str) -> None:
    assert file_of(name).read_text() == rendered(dashboard(name)), "run `make dashboards`"


def test_no_other_dashboard_is_in_the_repository() -> None:
    assert set(DIRECTORY.glob("*.json")) == {file_of(name) for name in DASHBOARDS}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_panel_shows_a_metric_that_is_served_by_its_labels(panel: Panel) -> None:
    names = set(re.findall(r"(?:sigmasight|process)_\w+", panel.expression))
    (metric,) = (metric for metric in METRICS if names & {metric.name + end for end in ("", "_bucket", "_count")})
    assert len(names) == 1
    asked = {label.strip() for by in re.findall(r"by \(([^)]*)\)", panel.expression) for label in by.split(",")}
    asked |= set(re.findall(r"\{\{(\w+)\}\}", panel.legend)) | set(re.findall(r'(\w+)="', panel.expression))
    assert asked <= {*metric.labels, "le", "instance"}


def test_every_metric_of_ours_is_on_a_dashboard() -> None:
    shown = " ".join(panel.expression for panel in PANELS)
    ours = {metric.name for metric in METRICS if metric.name.startswith("sigmasight")}
    assert {name for name in ours if name not in shown} == set()
