"""How much of a book a number speaks of."""

import pytest

from services.risk.core.exposures import factor_exposures
from shared.unavailable import Reason, Unavailable
from tests.unit.risk.shards import betas_of, book

NO_PRICES = Unavailable(Reason.MISSING_DATA, "no prices")


@pytest.mark.parametrize(("missing", "coverage"), [(0, 1.0), (25_000, 0.8), (100_000, 0.5), (900_000, 0.1)])
def test_defect_q15_missing_symbols_show_in_the_coverage_and_are_no_zero_betas(missing: int, coverage: float) -> None:
    holdings, _ = book([("AAA", 100_000), ("GONE", -missing)] if missing else [("AAA", 100_000)])
    exposures = factor_exposures(holdings, betas_of([[1.2], [NO_PRICES]] if missing else [[1.2]]))
    assert exposures.coverage.at((0, 0)) == pytest.approx(coverage, abs=1e-15)
    assert exposures.beta.at((0, 0)) == pytest.approx(1.2, abs=1e-12)
