"""Sectors against a benchmark, and which benchmarks are refused."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import numpy as np
import pytest

from services.risk.core.assessment import AssessmentInputs, Books, FactorHistory, assess
from services.risk.core.ratios import NO_CAPITAL
from services.risk.core.scenarios import RateSensitivity
from services.risk.core.sectors import NO_BENCHMARK, ActiveSectors, Benchmark, active_sectors, sector_exposures
from services.risk.storage.rows import Written, active_columns
from services.risk.web.bodies import BenchmarkBody, benchmark_of
from shared.conventions import RISK_FACTORS
from shared.problems import Problem
from tests.unit.risk.shards import Shard, book, shard_of

DAY = date(2025, 3, 14)
INDEX = Benchmark("SP500", DAY, {"Technology": 0.6, "Energy": 0.4})


def _active(benchmark: Benchmark | None = INDEX, *, equity: float = 100_000.0) -> ActiveSectors:
    holdings, _ = book([("AAA", 50_000.0), ("BBB", -20_000.0), ("FUND", 30_000.0), ("CCC", 10_000.0)], equity=equity)
    exposures = sector_exposures(holdings, ["Technology", "Energy", "ETFs", "Utilities"])
    return active_sectors(holdings, exposures, benchmark)


def test_active_weight_is_net_exposure_less_the_benchmarks_by_hand() -> None:
    found = _active()

    assert found.names == ("ETFs", "Energy", "Technology", "Utilities")
    np.testing.assert_allclose(found.active[0], [np.nan, -0.6, -0.1, 0.1])
    np.testing.assert_allclose(found.weights, [np.nan, 0.4, 0.6, 0.0])


def _stored(shard: Shard) -> list[tuple[list[str], list[float | None]]]:
    """Return sectors and active weights as they are stored, a pair a portfolio."""
    ids = tuple(UUID(int=index) for index in range(shard.equity.size))
    history = FactorHistory(RISK_FACTORS, shard.factor_returns, {}, RateSensitivity())
    books = Books(DAY, ids, shard.names, shard.holdings)
    found = assess(
        AssessmentInputs(
            books,
            shard.betas,
            shard.model,
            shard.sectors,
            shard.returns,
            shard.episodes,
            history,
            benchmark=INDEX,
        )
    )
    columns = active_columns(found, Written.of(found, dict.fromkeys(ids, 1)))
    return list(zip(columns["sectors"], columns["active"], strict=True))


def test_sectors_that_only_a_neighbour_holds_are_not_stored_for_a_portfolio() -> None:
    shard = shard_of(7, 4, 2, 4)
    shard = replace(
        shard,
        portfolio=np.array([0, 0, 1, 1]),
        symbol=np.array([0, 1, 2, 3]),
        equity=np.array([10_000_000, 10_000_000]),
        sectors=("Technology", "Utilities", "ETFs", "Energy"),
    )

    together = _stored(shard)

    assert [sectors for sectors, _ in together] == [
        ["Energy", "Technology", "Utilities"],
        ["ETFs", "Energy", "Technology"],
    ]
    assert together == [*_stored(shard.alone(0)), *_stored(shard.alone(1))]


def test_active_weights_and_what_has_none_add_up_to_leverage_less_one() -> None:
    found = _active()

    assert np.nansum(found.active[0]) + 0.3 == pytest.approx(0.7 - 1.0)


def test_defect_49_portfolio_without_a_benchmark_keeps_its_sectors_and_says_why() -> None:
    found = _active(None)

    assert (found.names, found.unavailable.tolist()) == ((), [NO_BENCHMARK])


@pytest.mark.parametrize("equity", [0.0, -5.0])
def test_book_without_capital_has_no_active_weights(equity: float) -> None:
    found = _active(equity=equity)

    assert found.unavailable.tolist() == [NO_CAPITAL]
    assert np.isnan(found.active).all()


def test_body_takes_the_names_of_providers() -> None:
    found = benchmark_of("SP500", BenchmarkBody(as_of=DAY, weights={"Financial Services": 0.25, "Energy": 0.7501}))

    assert found.weights == {"Financials": 0.25, "Energy": 0.7501}


@pytest.mark.parametrize(
    ("weights", "field"),
    [
        ({"Energy": 0.5, "Technology": 0.4}, "weights"),
        ({"Energy": 1.2}, "weights.Energy"),
        ({"Energy": -0.2, "Technology": 1.0}, "weights.Energy"),
        ({"Energy": float("nan")}, "weights.Energy"),
        ({"ETFs": 1.0}, "weights.ETFs"),
        ({"Financials": 0.5, "Financial Services": 0.5}, "weights.Financials"),
    ],
)
def test_benchmark_that_is_none_is_refused_by_its_field(weights: dict[str, float], field: str) -> None:
    with pytest.raises(Problem) as refused:
        benchmark_of("SP500", BenchmarkBody(as_of=DAY, weights=weights))

    assert refused.value.errors[0]["field"] == field
