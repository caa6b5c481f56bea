"""The rules by which Prometheus alerts: of metrics that there are, each with what to do about it, and they act."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from shared.metrics.catalogue import METRICS, Kind
from tests.support.source import ROOT

DIRECTORY = ROOT / "deploy" / "prometheus"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((DIRECTORY / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
PAGE = (ROOT / "docs" / "operations.md").read_text()
# Of Prometheus itself and of its node exporter.
OF_OTHERS = {"up", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"}
PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=str(ROOT / "build/prometheus/usr/bin"))


def served_names() -> set[str]:
    """Return the names of the series that /metrics has."""
    suffixes = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
    return {metric.name + suffix for metric in METRICS for suffix in suffixes.get(metric.kind, ("",))}


def read_by(expression: str) -> set[str]:
    """Return the metrics that an expression reads."""
    return set(re.findall(r"(?:sigmasight|node|process|faststream)_\w+|\bup\b", expression))


@pytest.mark.parametrize("name", RULES)
def test_alert_reads_metrics_that_are_served(name: str) -> None:
    read = read_by(RULES[name]["expr"])
    assert read
    assert read <= served_names() | OF_OTHERS


@pytest.mark.parametrize("name", RULES)
def test_labels_of_an_alert_are_those_of_its_metrics(name: str) -> None:
    expression = RULES[name]["expr"]
    labels = {label for metric in METRICS if metric.name in expression for label in metric.labels}
    used = {label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")}
    used |= set(re.findall(r'(\w+)="', expression)) | set(re.findall(r"\$labels\.(\w+)", str(RULES[name])))
    assert used <= labels | {"job", "instance", "mountpoint"}


@pytest.mark.parametrize("name", RULES)
def test_alert_says_what_to_do(name: str) -> None:
    rule = RULES[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"
    assert f"\n### {name}\n" in PAGE


def test_every_alert_of_the_page_is_a_rule_and_is_tested() -> None:
    section = PAGE[PAGE.index("\n## Alerts\n") :]
    tested = (DIRECTORY / "alerts_test.yml").read_text()
    assert re.findall(r"^### (\w+)$", section, re.M) == list(RULES)
    assert f"exp_samples: [{{value: {len(RULES)}}}]" in tested


@pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool (`make promtool`)")
def test_alerts_come_when_they_should_and_not_before() -> None:
    for arguments in (("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")):
        done = subprocess.run([str(PROMTOOL), *arguments], cwd=DIRECTORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
