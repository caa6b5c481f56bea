"""Whatever the prices and statements are: a number or a reason in every cell, and no cell that stops another one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.symbol_analytics.core.analysis import Analysis, ShardPrices, analyse
from services.symbol_analytics.core.columns import FACTOR_COLUMNS, METRICS, VALUE_COLUMNS
from services.symbol_analytics.core.ols import fit_lines
from services.symbol_analytics.core.ridge import fit_ridges
from shared.arrays import FloatArray
from shared.conventions import FACTORS
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.symbol_analytics.companies import AS_OF, SESSIONS, Company, Report, Year, fundamentals
from tests.unit.symbol_analytics.worlds import STANDARD, World, random_world

N_SESSIONS = 266
REPORTED = Company(
    Year().reports(), [("market_cap", AS_OF, 1e9), ("dividend_yield", AS_OF, 0.01), ("beta", AS_OF, 1.1)]
)
Spoil = Callable[[FloatArray], None]
GOOD = 0  # the neighbour that must not notice


def analysed(world: World, company: Company = REPORTED) -> Analysis:
    closes = world.closes
    prices = ShardPrices(SESSIONS[-len(closes) :], closes, closes, np.ones_like(closes), world.proxies)
    companies = [REPORTED, *[company] * (closes.shape[1] - 1)]
    return analyse(prices, fundamentals(companies), factor_set=STANDARD)


def row(analysis: Analysis) -> Quantities:
    """Everything that the row of a symbol holds, (n_symbols, n_values)."""
    return Quantities.side_by_side([analysis.metrics, analysis.estimates.betas])


def assert_value_or_reason(analysis: Analysis) -> None:
    estimates = analysis.estimates
    for table in (row(analysis), estimates.betas, estimates.r_squared, estimates.std_errors, estimates.p_values):
        assert np.array_equal(np.isfinite(table.values), table.available)
        assert not np.isinf(table.values).any()
    assert np.array_equal(~analysis.ratios.quantities.available, np.isnat(analysis.ratios.period_ends))


@cache
def _alone(seed: int) -> Quantities:
    world = random_world(n_symbols=2, n_sessions=N_SESSIONS, seed=seed)
    return row(analysed(World(world.closes[:, :1], world.proxies)))


def assert_neighbour_is_undisturbed(analysis: Analysis, *, seed: int = 7) -> None:
    alone, together = _alone(seed), row(analysis)
    assert np.array_equal(together.values[GOOD], alone.values[0], equal_nan=True)
    assert together.unavailable[GOOD].tolist() == alone.unavailable[0].tolist()
    assert together.part(GOOD).available.all()


def all_missing(closes: FloatArray) -> None:
    closes[:] = np.nan


def one_observation(closes: FloatArray) -> None:
    closes[:-1] = np.nan


def two_observations(closes: FloatArray) -> None:
    closes[:-2] = np.nan


def constant(closes: FloatArray) -> None:
    closes[:] = 12.34


def huge(closes: FloatArray) -> None:
    closes *= 1e12


def tiny(closes: FloatArray) -> None:
    closes *= 1e-12


def exploding(closes: FloatArray) -> None:
    closes[-1] = 1e300


def beyond_a_float(closes: FloatArray) -> None:
    closes[:-1] = 1e-300
    closes[-1] = 1e300


def alternating_beyond_a_float(closes: FloatArray) -> None:
    closes[::2], closes[1::2] = 1e-200, 1e200


def stale(closes: FloatArray) -> None:
    closes[-6:] = np.nan


def every_second(closes: FloatArray) -> None:
    closes[::2] = np.nan


SERIES = [
    all_missing,
    one_observation,
    two_observations,
    constant,
    huge,
    tiny,
    exploding,
    beyond_a_float,
    alternating_beyond_a_float,
    stale,
    every_second,
]


def test_row_of_a_symbol_is_of_every_estimator() -> None:
    analysis = analysed(random_world(n_symbols=2, n_sessions=N_SESSIONS))
    assert row(analysis).values.shape == (2, len(VALUE_COLUMNS))
    assert (*METRICS, *FACTOR_COLUMNS) == VALUE_COLUMNS
    assert len(FACTOR_COLUMNS) == len(FACTORS)
    assert row(analysis).available.all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("spoil", SERIES)
def test_series_gives_a_value_or_a_reason_in_every_cell_and_leaves_its_neighbour(spoil: Spoil) -> None:
    world = random_world(n_symbols=2, n_sessions=N_SESSIONS)
    spoil(world.closes[:, 1])
    analysis = analysed(world)
    assert_value_or_reason(analysis)
    assert_neighbour_is_undisturbed(analysis)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("spoil", SERIES)
@pytest.mark.parametrize("ticker", ["SPY", "USMV"])
def test_proxy_gives_a_value_or_a_reason_in_every_cell(spoil: Spoil, ticker: str) -> None:
    world = random_world(n_symbols=2, n_sessions=N_SESSIONS)
    spoil(world.proxies[ticker])
    assert_value_or_reason(analysed(world))


@pytest.mark.parametrize("amount", [0.0, -0.0, -1e12, 1e12, 1e308, -1e308, 1e-308, 5e-324])
def test_statement_gives_a_value_or_a_reason_in_every_cell_and_leaves_its_neighbour(amount: float) -> None:
    world = random_world(n_symbols=2, n_sessions=N_SESSIONS)
    items = [replace(report, items=dict.fromkeys(report.items, amount)) for report in Year().reports()]
    figures = [(name, AS_OF, amount) for name in ("beta", "market_cap", "shares_outstanding", "dividend_yield")]
    for company in (Company(items), Company(items, figures), Company(Year().reports(), figures), Company([], figures)):
        analysis = analysed(world, company)
        assert_value_or_reason(analysis)
        assert_neighbour_is_undisturbed(analysis)


def test_fit_whose_squares_overflow_is_refused_as_a_whole() -> None:
    returns = np.random.default_rng(1).normal(0.0, 0.01, (2, 100))
    returns[1, 50] = 1e200
    regressors = np.random.default_rng(2).normal(0.0, 0.01, (3, 100))
    ridges = fit_ridges(returns, regressors, min_observations=60)
    lines = fit_lines(returns, regressors[0], min_observations=60)
    for unavailable in (ridges.unavailable, lines.unavailable):
        assert unavailable.tolist() == [None, Unavailable(Reason.DEGENERATE_INPUT, "beyond the range of a float")]
    for numbers in (ridges.betas[1], ridges.r_squared[1:], lines.betas[1:], lines.std_errors[1:]):
        assert np.isnan(numbers).all()


prices = st.one_of(st.just(np.nan), st.floats(1e-12, 1e12), st.sampled_from([1e-300, 1e300, 5e-324]))
amounts = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=12)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_prices_and_statements_give_a_value_or_a_reason_in_every_cell(data: st.DataObject, seed: int) -> None:
    world = random_world(n_symbols=2, n_sessions=N_SESSIONS, seed=seed)
    for place in data.draw(st.lists(st.integers(0, N_SESSIONS - 1), max_size=12)):
        world.closes[place, 1] = data.draw(prices)
    reports = [
        Report(
            statement,
            frequency,
            AS_OF - timedelta(days=data.draw(st.integers(0, 500))),
            {item: data.draw(amounts) for item in data.draw(st.sets(st.sampled_from(ITEMS[statement])))},
            AS_OF - timedelta(days=data.draw(st.integers(-5, 100))),
            published=data.draw(st.booleans()),
            revision=data.draw(st.integers(1, 3)),
            currency=data.draw(st.sampled_from(["USD", "EUR", None])),
        )
        for statement in ITEMS
        for frequency in ("quarterly", "annual")
        for _ in range(data.draw(st.integers(0, 5)))
    ]
    figures = [(name, AS_OF, data.draw(amounts)) for name in data.draw(st.sets(st.sampled_from(FIGURES)))]
    analysis = analysed(world, Company(reports, figures, currency=data.draw(st.sampled_from(["USD", None]))))
    assert_value_or_reason(analysis)
    assert_neighbour_is_undisturbed(analysis, seed=seed)


ITEMS = {
    "income": ("total_revenue", "ebitda", "net_income", "diluted_average_shares"),
    "balance": ("total_stockholders_equity", "net_debt"),
    "cash_flow": ("dividends_paid",),
}
FIGURES = ("beta", "market_cap", "shares_outstanding", "dividend_yield")
