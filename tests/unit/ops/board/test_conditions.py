"""Alert conditions on the board say what the rules of Prometheus say."""

import re

import pytest
import yaml

from services.ops.board.conditions import CONDITIONS, Condition, Sample, stand_of
from shared.metrics import catalogue
from tests.support.source import ROOT

RULES = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda each: each.name)
def test_condition_has_the_metric_the_label_and_the_bound_of_its_rule(condition: Condition) -> None:
    rule = RULES[condition.name]
    bound = re.search(r"(>|==) ([\d.]+)$", rule)
    assert bound is not None
    assert (bound[1], float(bound[2])) == ("==" if condition.below else ">", condition.over)
    assert condition.metric.name in rule
    assert condition.only is None or f'kind="{condition.only}"' in rule
    assert condition.by is None or re.search(rf"by \([^)]*\b{condition.by}\)", rule)
    assert condition.summed == ("sum by" in rule)


def test_every_rule_over_gauges_alone_is_a_condition() -> None:
    # The others compare with what was before, or are of processes that don't answer and of disks.
    before = {name for name, rule in RULES.items() if "increase(" in rule or "histogram_quantile(" in rule}
    others = {name for name, rule in RULES.items() if "sigmasight_" not in rule or "up{job=" in rule}
    assert {each.name for each in CONDITIONS} == set(RULES) - before - others


LAG = next(each for each in CONDITIONS if each.name == "ConsumerBehind")
DATABASE = next(each for each in CONDITIONS if each.name == "DatabaseDown")


@pytest.mark.parametrize(("value", "holds"), [(100.0, False), (101.0, True)])
def test_lag_is_that_of_the_consumer_that_is_furthest_behind(value: float, holds: bool) -> None:
    def lag(consumer: str, messages: float) -> Sample:
        return Sample(catalogue.CONSUMER_LAG.name, {"consumer": consumer}, messages)

    stand = stand_of(LAG, [lag("a", 60.0), lag("b", 40.0), lag("b", value - 40.0), lag("c", 99.0)])
    assert (stand.value, stand.of, stand.holds) == (value, "b", holds)


def test_database_that_is_away_is_found_among_those_that_are_there() -> None:
    samples = [Sample(catalogue.DATABASE.name, {"service": name}, up) for name, up in (("a", 1.0), ("b", 0.0))]
    assert stand_of(DATABASE, samples)[1:] == (0.0, "b", True)
    assert stand_of(DATABASE, samples[:1]).holds is False


def test_condition_of_which_nothing_is_served_does_not_hold() -> None:
    assert stand_of(LAG, [])[1:] == (None, None, False)
