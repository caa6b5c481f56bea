"""What operators measure: a night leaves its traces in every metric of the catalogue."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.market_data.settings import MarketDataSettings
from shared.calendar import SETTLE_DELAY, last_closed_session, sessions_between
from shared.contracts.services import SERVICES
from shared.metrics.catalogue import METRICS
from tests.support.eventually import eventually
from tests.support.platform import Platform, running_platform
from tests.support.stack import Servers

OPENED, NIGHT = date(2022, 12, 27), date(2022, 12, 28)
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\n"
STAGES = ("prices.updated", "symbols.factored", "portfolios.valued", "portfolios.assessed")

Series = Mapping[str, float]


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    # The vendor has gauges, and is asked for nothing: the sample has it all.
    chain = MarketDataSettings(providers=("sample", "yahoo"), yahoo_url="http://127.0.0.1:9")
    async with running_platform(own_servers, chain) as running:
        yield running


async def _scrape(platform: Platform) -> tuple[set[str], Series]:
    """Return the names of the families, and each series as Prometheus would write it."""
    # Prometheus has no token.
    answer = await platform.api.client.get(f"{platform.url}/metrics", headers={"Authorization": ""})
    assert answer.status_code == 200, answer.text
    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families)
    series = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items() if name != "le")
            if "le" not in sample.labels:
                series[f"{sample.name}{{{labels}}}"] = sample.value
    return {family.name for family in families}, series


def _grown(before: Series, after: Series, start: str) -> dict[str, float]:
    """Return by how much the series that begin so have grown."""
    return {
        name: value - before.get(name, 0.0)
        for name, value in after.items()
        if name.startswith(start) and value > before.get(name, 0.0)
    }


async def test_night_is_in_every_metric_of_the_catalogue_and_in_no_other(platform: Platform) -> None:
    entered = await platform.api.import_portfolio(
        "measured", HEADER + "AAPL,10,140,2022-11-01,", opening_equity="10000", opened_on=str(OPENED), as_of=str(OPENED)
    )
    await platform.api.ended(entered["run_id"])
    _, before = await _scrape(platform)

    night = await platform.api.run(kind="nightly", last_session=str(NIGHT))
    names, after = await _scrape(platform)

    assert names == {metric.family for metric in METRICS}
    assert _grown(before, after, "sigmasight_runs_total") == {
        f"sigmasight_runs_total{{kind=nightly,service=scheduler,status={night['status']}}}": 1
    }
    for stage in STAGES:
        labels = f"{{kind=nightly,service=scheduler,stage={stage}}}"
        assert after[f"sigmasight_stage_seconds_count{labels}"] == 1
    assert after["sigmasight_run_seconds_sum{kind=nightly,service=scheduler}"] == night["seconds"]
    processed = _grown(before, after, "sigmasight_events_total")
    assert all("outcome=processed" in name for name in processed)
    consumed = "sigmasight_events_total{consumer=risk.assess_portfolios,outcome=processed,service=risk,topic=risk.due}"
    assert processed[consumed] == 1
    assert _grown(before, after, "sigmasight_relay_published_total{service=risk,topic=portfolios.assessed}")
    assert _grown(before, after, "sigmasight_provider_calls_total{kind=bars,outcome=answered,provider=sample")


async def test_books_that_no_night_has_reached_are_stale_by_the_sessions_that_have_passed(platform: Platform) -> None:
    gauges = ("sigmasight_books", "sigmasight_books_stale", "sigmasight_books_behind_sessions")

    async def look() -> bool:
        _, series = await _scrape(platform)
        shown = {of: [series[f"{name}{{service={of}}}"] for name in gauges] for of in ("portfolio", "risk")}
        # A session may close between the two.
        behind = len(sessions_between(NIGHT, last_closed_session(datetime.now(UTC), settle_delay=SETTLE_DELAY))) - 1
        # What was valued is assessed: it is the valuations that are behind.
        return shown == {"portfolio": [1, 1, behind], "risk": [1, 0, 0]}

    assert await eventually(look)


async def test_nothing_waits_when_a_night_is_over(platform: Platform) -> None:
    async def look() -> bool:
        _, series = await _scrape(platform)
        waiting = ("sigmasight_consumer_lag", "sigmasight_outbox", "sigmasight_runs_active")
        return not any(value for name, value in series.items() if name.startswith(waiting))

    assert await eventually(look)
    _, series = await _scrape(platform)
    assert {f"sigmasight_database_up{{service={service}}}" for service in SERVICES} <= set(series)
