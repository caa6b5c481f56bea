"""Same inputs, same bits: no result depends on the order of positions or symbols, or on the other portfolios."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.core.exposures import factor_exposures
from services.risk.core.measures import MEASURES
from services.risk.core.sectors import sector_exposures
from shared.arrays import FloatArray
from tests.unit.risk.shards import Shard, shards

# Where the amounts are among the results: dollars, direct and model P&L.
AMOUNTS = {1, 3 + 2 * len(MEASURES), 4 + 2 * len(MEASURES)}


def results(shard: Shard) -> list[FloatArray]:
    """Return every number of every portfolio, one array a kind, portfolios along the first axis."""
    holdings = shard.holdings
    exposures = factor_exposures(holdings, shard.betas)
    numbers = [exposures.beta.values, exposures.dollars.values, exposures.coverage.values]
    inputs = shard.inputs
    for measure in MEASURES:
        measured = measure.compute(inputs)
        numbers += [measured.values.values, measured.coverage.values]
    stressed = inputs.stress
    numbers += [stressed.direct.values, stressed.model.values, stressed.coverage.values]
    numbers += [stressed.extrapolated_share.values, stressed.realised_share.values]
    numbers += [stressed.at_risen_volatility / np.abs(holdings.equity)[:, None]]
    numbers += [inputs.decomposition.by_factor, inputs.decomposition.by_specific]
    return numbers


def by_sector(shard: Shard, portfolio: int) -> dict[str, tuple[float, float]]:
    """Return net and gross of the sectors a portfolio holds."""
    exposures = sector_exposures(shard.holdings, shard.sectors)
    pairs = zip(exposures.net.values[portfolio].tolist(), exposures.gross.values[portfolio].tolist(), strict=True)
    held = exposures.gross_cents[portfolio] > 0
    return {name: pair for name, pair, is_held in zip(exposures.names, pairs, held, strict=True) if is_held}


def assert_same(actual: list[FloatArray], expected: list[FloatArray]) -> None:
    for mine, theirs in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@settings(max_examples=8)
@given(shards(), st.integers(0, 2**32 - 1))
def test_order_of_positions_changes_no_bit(shard: Shard, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(shard.portfolio.size)
    assert_same(results(shard.positions(order)), results(shard))


@settings(max_examples=8)
@given(shards(), st.integers(0, 2**32 - 1))
def test_order_of_symbols_changes_no_bit(shard: Shard, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(shard.names))
    assert_same(results(shard.symbols(order)), results(shard))


@settings(max_examples=8)
@given(shards(), st.integers(0, 2**32 - 1))
def test_order_of_portfolios_changes_no_bit(shard: Shard, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(shard.equity.size)
    assert_same(results(shard.portfolios(order)), [numbers[order] for numbers in results(shard)])


@settings(max_examples=8)
@given(shards(), st.integers(1, 12))
def test_unit_of_currency_changes_no_bit_but_of_amounts(shard: Shard, power: int) -> None:
    unit = 2**power
    terms = replace(shard.options.terms, spot=shard.options.terms.spot * unit, strike=shard.options.terms.strike * unit)
    options = replace(shard.options, exposure=shard.options.exposure * unit, terms=terms)
    scaled = results(replace(shard, exposure=shard.exposure * unit, equity=shard.equity * unit, options=options))

    for place, (mine, theirs) in enumerate(zip(scaled, results(shard), strict=True)):
        np.testing.assert_array_equal(mine, theirs * unit if place in AMOUNTS else theirs)


@settings(max_examples=8)
@given(shards(), st.data())
def test_neighbours_in_the_shard_change_no_bit(shard: Shard, data: st.DataObject) -> None:
    portfolio = data.draw(st.integers(0, shard.equity.size - 1))
    alone = shard.alone(portfolio)
    assert_same(results(alone), [numbers[[portfolio]] for numbers in results(shard)])
    np.testing.assert_equal(by_sector(alone, 0), by_sector(shard, portfolio))


@settings(max_examples=8)
@given(shards())
def test_every_missing_measure_has_a_reason_and_no_other(shard: Shard) -> None:
    inputs = shard.inputs
    for measure in MEASURES:
        measured = measure.compute(inputs)
        for quantity in (measured.values, measured.coverage):
            np.testing.assert_array_equal(np.isnan(quantity.values), quantity.unavailable.astype(bool))


def test_measures_have_distinct_names() -> None:
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
