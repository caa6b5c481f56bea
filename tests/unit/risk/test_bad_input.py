"""Whatever books, symbols or factors are like: a finite number or a reason, and neighbours don't notice."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.core.measures import MEASURES, RiskMeasure
from services.risk.core.ratios import TOO_LARGE
from services.risk.core.risk_context import RiskContext
from services.risk.core.scenarios import SCENARIOS
from shared.arrays import FloatArray
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.risk.shards import N_FACTORS, Shard, shard_of

# The last portfolio is the neighbour that nothing is done to; it shares no symbol with the others.
N_PORTFOLIOS, N_SYMBOLS = 3, 6
SOUND = N_PORTFOLIOS - 1
NO_HISTORY = Unavailable(Reason.MISSING_DATA, "no prices")


@cache
def sound() -> Shard:
    """Return three books of two symbols each with every return and beta."""
    drawn = shard_of(5, 0, N_PORTFOLIOS, N_SYMBOLS)
    rng = np.random.default_rng(11)
    return replace(
        drawn,
        portfolio=np.repeat(np.arange(N_PORTFOLIOS), 2),
        symbol=np.arange(N_SYMBOLS),
        exposure=np.array([3_000_000, -1_000_000] * N_PORTFOLIOS),
        equity=np.full(N_PORTFOLIOS, 10_000_000),
        betas=Quantities.of(rng.normal(1, 0.5, drawn.betas.values.shape)),
        returns=rng.normal(0, 0.02, drawn.returns.shape) + rng.normal(0, 0.01, drawn.returns.shape[1]),
        model=Quantities.of(np.abs(rng.normal(0.5, 0.3, drawn.model.values.shape))),
        episodes={},
    )


def _returns(change: Callable[[FloatArray], None]) -> Callable[[Shard], Shard]:
    def changed(shard: Shard) -> Shard:
        returns = shard.returns.copy()
        change(returns[: 2 * SOUND])
        return replace(shard, returns=returns)

    return changed


def _factors(change: Callable[[FloatArray], None]) -> Callable[[Shard], Shard]:
    def changed(shard: Shard) -> Shard:
        factor_returns = shard.factor_returns.copy()
        change(factor_returns)
        return replace(shard, factor_returns=factor_returns)

    return changed


def _fill(value: float, *, until: int | None = None) -> Callable[[FloatArray], None]:
    return lambda returns: returns[:, :until].fill(value)


def _times(factor: float) -> Callable[[FloatArray], None]:
    def changed(returns: FloatArray) -> None:
        returns *= factor

    return changed


def _put(value: float) -> Callable[[FloatArray], None]:
    def changed(returns: FloatArray) -> None:
        returns[0, -3] = value

    return changed


def _collinear(factor_returns: FloatArray) -> None:
    factor_returns[:] = factor_returns[0]


def _books(exposure: int, *, equity: int = 10_000_000) -> Callable[[Shard], Shard]:
    """Give the first portfolios these exposures, in cents, and this equity."""

    def changed(shard: Shard) -> Shard:
        return replace(
            shard,
            exposure=np.append(np.full(2 * SOUND, exposure), shard.exposure[-2:]),
            equity=np.append(np.full(SOUND, equity), shard.equity[-1:]),
        )

    return changed


def _netted(shard: Shard) -> Shard:
    """Hold each symbol long and short by the same amount."""
    return replace(
        shard,
        portfolio=np.append(np.repeat(np.arange(SOUND), 4), shard.portfolio[-2:]),
        symbol=np.append(np.repeat(np.arange(2 * SOUND), 2), shard.symbol[-2:]),
        exposure=np.append(np.tile([500, -500], 2 * SOUND), shard.exposure[-2:]),
    )


def _betas(value: float, why: Unavailable | None) -> Callable[[Shard], Shard]:
    def changed(shard: Shard) -> Shard:
        values, reasons = shard.betas.values.copy(), shard.betas.unavailable.copy()
        values[: 2 * SOUND], reasons[: 2 * SOUND] = value, why
        model, whys = shard.model.values.copy(), shard.model.unavailable.copy()
        model[: 2 * SOUND], whys[: 2 * SOUND] = value, why
        return replace(shard, betas=Quantities(values, reasons), model=Quantities(model, whys))

    return changed


def _private(shard: Shard) -> Shard:
    """Hold nothing that has a price or a beta."""
    return _betas(np.nan, NO_HISTORY)(_returns(_fill(np.nan))(shard))


OF_BOOKS: dict[str, Callable[[Shard], Shard]] = {
    "empty": lambda shard: shard.positions(np.array([4, 5])),
    "private": _private,
    "shorts_only": _books(-2_000_000),
    "netted_to_zero": _netted,
    "no_equity": _books(2_000_000, equity=0),
    "negative_equity": _books(2_000_000, equity=-10_000_000),
    "one_cent_of_equity": _books(2_000_000, equity=1),
    "prices_of_1e12": _books(10**14 * 100),
    "exposure_of_a_cent": _books(1),
}
OF_SYMBOLS = {
    "returns_missing": _returns(_fill(np.nan)),
    "returns_infinite": _returns(_fill(np.inf)),
    "one_return_infinite": _returns(_put(-np.inf)),
    "one_return": _returns(_fill(np.nan, until=-1)),
    "returns_zero": _returns(_fill(0.0)),
    "returns_constant": _returns(_fill(0.01)),
    "one_return_of_1e12": _returns(_put(1e12)),
    "returns_of_1e12": _returns(_times(1e14)),
    "returns_tiny": _returns(_times(1e-200)),
    "bankrupt": _returns(_put(-1.0)),
    "betas_missing": _betas(np.nan, NO_HISTORY),
    "betas_infinite": _betas(np.inf, None),
    "betas_of_1e12": _betas(1e12, None),
}
OF_FACTORS = {
    "proxies_missing": _factors(_fill(np.nan)),
    "proxies_infinite": _factors(_put(np.inf)),
    "proxies_of_one_return": _factors(_fill(np.nan, until=-1)),
    "proxies_zero": _factors(_fill(0.0)),
    "proxies_constant": _factors(_fill(0.01)),
    "market_constant": _factors(lambda proxies: proxies[0].fill(0.001)),
    "proxies_collinear": _factors(_collinear),
    "proxies_of_1e12": _factors(_times(1e14)),
}
HARMS: dict[str, Callable[[Shard], Shard]] = OF_BOOKS | OF_SYMBOLS | OF_FACTORS


@cache
def inputs_of(harm: str) -> RiskContext:
    inputs: RiskContext = HARMS[harm](sound()).inputs
    return inputs


def numbers(inputs: RiskContext) -> Iterator[tuple[str, Quantities]]:
    """Return all that is stored as a value or a reason, but the measures."""
    exposures, sectors, stressed = inputs.exposures, inputs.sector_exposures, inputs.stress
    yield from (("beta", exposures.beta), ("dollars", exposures.dollars), ("coverage", exposures.coverage))
    yield from (("net", sectors.net), ("gross", sectors.gross))
    yield from (("direct", stressed.direct), ("model", stressed.model), ("stress", stressed.coverage))
    yield ("reverse", inputs.reverse_stress.distance)
    yield from (("extrapolated", stressed.extrapolated_share), ("own", stressed.realised_share))


def assert_value_or_reason(found: Quantities, what: object) -> None:
    missing = found.unavailable.astype(bool)
    assert np.isfinite(found.values[~missing]).all(), what
    assert np.isnan(found.values[missing]).all(), what
    assert all(why.detail for why in found.unavailable[missing]), what


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_measure_of_bad_input_is_finite_or_has_a_reason(measure: RiskMeasure) -> None:
    for harm in HARMS:
        measured = measure.compute(inputs_of(harm))

        assert_value_or_reason(measured.values, harm)
        assert_value_or_reason(measured.coverage, harm)


@pytest.mark.parametrize("harm", HARMS)
def test_exposures_and_stress_of_bad_input_are_finite_or_have_a_reason(harm: str) -> None:
    for name, found in numbers(inputs_of(harm)):
        assert_value_or_reason(found, name)


@pytest.mark.parametrize("harm", HARMS)
def test_correlations_and_contributions_of_bad_input_are_finite_or_missing(harm: str) -> None:
    inputs = inputs_of(harm)

    for entry in inputs.diversification.portfolios:
        assert not np.isinf(entry.matrix.values).any()
        assert np.nanmax(np.abs(entry.matrix.values), initial=1.0) <= 1.0
    model, moves = inputs.decomposition, inputs.moves
    for parts in (model.by_factor, model.by_specific, model.by_holding, model.marginal, moves.covariance, moves.moves):
        assert not np.isinf(parts).any()
    assert not np.isinf(moves.correlations.values).any()


@pytest.mark.parametrize("harm", OF_BOOKS | OF_SYMBOLS)
def test_bad_book_changes_no_bit_of_its_neighbour(harm: str) -> None:
    harmed, alone = inputs_of(harm), sound().alone(SOUND).inputs

    for measure in MEASURES:
        found, expected = measure.compute(harmed).values, measure.compute(alone).values
        assert found.at(SOUND) == expected.at(0), measure.name
    for (name, found), (_, expected) in zip(numbers(harmed), numbers(alone), strict=True):
        if name not in {"net", "gross"}:
            np.testing.assert_array_equal(found.values[SOUND], expected.values[0])


@given(st.lists(st.sampled_from(sorted(HARMS)), max_size=4, unique=True), st.integers(0, 2**32 - 1))
@settings(max_examples=12)
def test_any_mixture_of_bad_inputs_gives_values_or_reasons(harms: list[str], seed: int) -> None:
    shard = shard_of(seed, 6, N_PORTFOLIOS, N_SYMBOLS)
    shard = replace(shard, portfolio=sound().portfolio, symbol=sound().symbol)
    for harm in harms:
        if harm != "netted_to_zero" and shard.portfolio.size == 6:
            shard = HARMS[harm](shard)

    # What overflows is a reason too: as in the service, NumPy does not raise.
    with np.errstate(all="ignore"):
        inputs = shard.inputs
        for measure in MEASURES:
            assert_value_or_reason(measure.compute(inputs).values, measure.name)
        for name, found in numbers(inputs):
            assert_value_or_reason(found, name)


def test_number_that_overflows_is_degenerate_and_not_infinite() -> None:
    shard = HARMS["returns_of_1e12"](HARMS["one_cent_of_equity"](sound()))
    huge = _returns(_times(1e150))(shard)

    with np.errstate(all="ignore"):
        found = {measure.name: measure.compute(huge.inputs).values for measure in MEASURES}

    assert found["volatility_21d"].at(0) == TOO_LARGE
    assert isinstance(found["volatility_21d"].at(SOUND), float)
    for name, values in found.items():
        assert_value_or_reason(values, name)


def test_flat_proxy_costs_the_model_and_no_direct_figure() -> None:
    inputs = inputs_of("market_constant")

    why = Unavailable(Reason.DEGENERATE_INPUT, "market: the proxies of market add no variation")
    model = dict(zip((scenario.scenario_id for scenario in SCENARIOS), inputs.stress.model.unavailable[0], strict=True))
    assert model["market_down_10"] == why
    assert set(map(bool, model.values())) == {True}
    assert inputs.stress.direct.available.all()
    assert inputs.decomposition.total.unavailable[0] == Unavailable(
        why.reason, "the proxies of market add no variation"
    )


def test_defect_10_5_book_of_private_holdings_says_so_in_every_number() -> None:
    inputs = inputs_of("private")

    measures = {measure.name: measure.compute(inputs).values for measure in MEASURES}
    told = {name for name, found in measures.items() if isinstance(found.at(0), Unavailable)}
    assert set(measures) - told == {
        "hhi",
        "effective_positions",
        "top_3_concentration",
        "top_10_concentration",
        "gross_leverage",
        "net_leverage",
    }
    assert inputs.exposures.coverage.values[0].tolist() == [0.0] * N_FACTORS
    assert inputs.stress.direct.unavailable[0].all()
