"""What changed beta and value at risk: by hand, and the parts of any change."""

from dataclasses import replace
from datetime import date
from math import fsum
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.core.assessment import AssessmentInputs, Books, FactorHistory
from services.risk.core.changes import (
    Change,
    Number,
    Part,
    Stage,
    Step,
    Stored,
    attributed,
    changes_of,
    moved,
    restored,
)
from services.risk.core.digest import CODE_VERSION
from services.risk.core.holdings import NetHoldings
from services.risk.core.risk_context import RETURN_SESSIONS
from services.risk.core.scenarios import RateSensitivity
from shared.arrays import FloatArray
from shared.conventions import FACTORS, MARKET_BETA, RISK_FACTORS
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.risk.shards import book, loadings_of, with_options

VAR = "var_95_1d_historical"
LACKING = Unavailable(Reason.INSUFFICIENT_HISTORY, "12 of 63 returns")
numbers = st.floats(-1e3, 1e3)


def _books(positions: dict[str, float], *, equity: float) -> Books:
    holdings, names = book(list(positions.items()), equity=equity)
    return Books(date(2025, 3, 14), (UUID(int=1),), tuple(names), holdings)


def _inputs(books: Books, *betas: float, returns: FloatArray | None = None) -> AssessmentInputs:
    n_symbols = len(books.symbols)
    known = np.zeros((n_symbols, len(FACTORS)))
    known[:, FACTORS.index(MARKET_BETA)] = betas
    factors = FactorHistory((None,) * len(RISK_FACTORS), np.full((8, RETURN_SESSIONS), np.nan), {}, RateSensitivity())
    unmoved = np.zeros((n_symbols, RETURN_SESSIONS))
    return AssessmentInputs(
        books=books,
        betas=Quantities.of(known),
        model=loadings_of(*({} for _ in range(n_symbols))),
        sectors=("Energy",) * n_symbols,
        returns=unmoved if returns is None else returns,
        episodes={},
        factors=factors,
    )


def _stored(beta: float, var: Number = 0.0, *, code_version: int = CODE_VERSION) -> Stored:
    return Stored({MARKET_BETA: beta, VAR: var}, code_version)


def _parts(change: Change) -> dict[str, float]:
    return {
        part.value: value for part, value in change.parts.items() if isinstance(value, float) and abs(value) > 1e-12
    }


def test_change_of_beta_by_hand() -> None:
    # 60,000 at 1.5 and 40,000 at 0.5 on 100,000: 1.1. The first rises by 10 %: (66,000 x 1.5 + 40,000 x 0.5) / 106,000
    # = 1.122641... All of the second is sold: 66,000 x 1.5 / 106,000 = 0.933962... Its beta is 1.6 now: 0.996226...
    before = _books({"A": 60_000.0, "B": 40_000.0}, equity=100_000.0)
    then = _inputs(before, 1.5, 0.5)
    grown = moved(before, np.array([0.1, 0.0]))
    after = _books({"A": 66_000.0}, equity=106_000.0)

    change = changes_of(
        _stored(1.1),
        _stored(66_000 * 1.6 / 106_000),
        [
            Stage(Part.CORRECTIONS, then),
            Stage(Part.PRICES, replace(then, books=grown)),
            Stage(Part.POSITIONS, _inputs(after, 1.5)),
            Stage(Part.MODEL, _inputs(after, 1.6)),
        ],
    )[MARKET_BETA]

    assert _parts(change) == pytest.approx(
        {"prices": 119_000 / 106_000 - 1.1, "positions": -20_000 / 106_000, "model": 6_600 / 106_000}, abs=1e-12
    )
    assert change.total == pytest.approx(66_000 * 1.6 / 106_000 - 1.1)


def test_change_of_value_at_risk_by_hand() -> None:
    # All of equity in one symbol that loses 0.1 % to 25.2 % in turn: the VaR lies at the place 0.05 x 253 = 12.65,
    # between 24.1 % and 24.0 %: 24.035 %. Half of the position is half of it, and twice the returns are twice it.
    falls = np.zeros((1, RETURN_SESSIONS))
    falls[0, -252:] = -np.arange(1, 253) / 1000
    whole, half = (_books({"A": amount}, equity=100_000.0) for amount in (100_000.0, 50_000.0))
    then, later = (_inputs(whole, 1.0, returns=falls), _inputs(half, 1.0, returns=falls * 2))

    change = changes_of(
        _stored(1.0, 0.24035),
        _stored(0.5, 0.24035),
        [
            Stage(Part.CORRECTIONS, then),
            Stage(Part.PRICES, then),
            Stage(Part.POSITIONS, _inputs(half, 1.0, returns=falls)),
            Stage(Part.MODEL, later),
        ],
    )[VAR]

    assert _parts(change) == pytest.approx({"positions": -0.120175, "model": 0.120175}, abs=1e-12)
    assert change.total == 0.0


@pytest.mark.parametrize(("version", "part"), [(CODE_VERSION, "corrections"), (CODE_VERSION - 1, "code")])
def test_stored_number_that_does_not_come_out_again_was_corrected_or_computed_by_another_code(
    version: int, part: str
) -> None:
    inputs = _inputs(_books({"A": 50_000.0}, equity=100_000.0), 1.0)

    change = changes_of(
        _stored(0.4, code_version=version),
        _stored(0.5),
        [Stage(Part.CORRECTIONS if version == CODE_VERSION else Part.CODE, inputs)],
    )[MARKET_BETA]

    assert _parts(change) == pytest.approx({part: 0.1})


@given(numbers, st.lists(st.tuples(st.sampled_from(list(Part)), numbers | st.just(LACKING)), max_size=6), numbers)
def test_parts_of_any_change_add_up_to_it(before: float, between: list[tuple[Part, Number]], after: float) -> None:
    change = attributed(before, [*(Step(*one) for one in between), Step(Part.CORRECTIONS, after)])

    told = [part for part in change.parts.values() if isinstance(part, float)]
    # Within the last bit of the largest of them.
    assert abs(fsum(told) - (after - before)) <= max(map(abs, told)) * 2**-52
    assert change.total == after - before


def test_step_that_cannot_be_computed_has_its_reason_and_the_next_one_both() -> None:
    steps = [Step(Part.PRICES, 1.5), Step(Part.POSITIONS, LACKING), Step(Part.MODEL, 3.0), Step(Part.CORRECTIONS, 3.0)]

    change = attributed(1.0, steps)

    assert change.parts == {Part.PRICES: 0.5, Part.POSITIONS: LACKING, Part.MODEL: 1.5, Part.CORRECTIONS: 0.0}


@pytest.mark.parametrize(("before", "after"), [(LACKING, 1.0), (1.0, LACKING)])
def test_number_that_is_missing_at_one_end_leaves_no_difference(before: Number, after: Number) -> None:
    change = attributed(before, [Step(Part.PRICES, 2.0), Step(Part.CORRECTIONS, after)])

    assert change.total == LACKING
    assert change.parts == {Part.PRICES: LACKING, Part.CORRECTIONS: LACKING}


def test_prices_move_exposures_and_equity_and_what_is_unknown_stands_still() -> None:
    # Long 60,000 that rises by 10 %, short 20,000 that falls by 5 %, and one of which nothing is known.
    books = moved(
        _books({"A": 60_000.0, "B": -20_000.0, "C": 5_000.0}, equity=100_000.0), np.array([0.1, -0.05, np.nan])
    )

    assert books.holdings.net.tolist() == [6_600_000, -1_900_000, 500_000]
    assert books.holdings.gross.tolist() == [6_600_000, 1_900_000, 500_000]
    assert books.holdings.equity.tolist() == [10_700_000]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=8), st.integers(10**4, 10**9))
def test_book_comes_out_of_its_weights_to_the_cent(cents: list[int], equity: int) -> None:
    names = [f"S{number}" for number in range(len(cents))]
    holdings = NetHoldings.of(
        np.zeros(len(cents), dtype=np.int64),
        np.arange(len(cents)),
        exposure=np.array(cents),
        equity=np.array([equity]),
        names=names,
    )
    books = Books(date(2025, 3, 14), (UUID(int=1),), tuple(names), holdings)

    again = restored(books, names, holdings.weights(), equity=equity / 100)

    assert isinstance(again, Books)
    assert again.holdings.net.tolist() == cents
    assert again.holdings.equity.tolist() == [equity]


def test_earlier_book_with_options_or_without_equity_has_a_reason() -> None:
    optioned = Books(date(2025, 3, 14), (UUID(int=1),), ("S",), with_options((100.0, 100.0, 0.5, 0.3, True)))
    plain = _books({"S": 1.0}, equity=1.0)

    with_them = restored(optioned, ["S"], np.ones(1), equity=1.0)
    without_equity = restored(plain, ["S"], np.array([np.nan]), equity=-5.0)

    assert isinstance(with_them, Unavailable)
    assert with_them.reason is Reason.NOT_APPLICABLE
    assert without_equity == Unavailable(Reason.DEGENERATE_INPUT, "equity must be positive for weights, was -5.0")
