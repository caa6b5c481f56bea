"""How much of a book a number speaks of."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest

from services.risk.core.coverage_floor import Figures, told
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


def _told(known: list[bool], exposures: list[float], held: Mapping[str, str] = MappingProxyType({})) -> Figures:
    names = [f"S{place}" for place in range(len(known))]
    holdings, _ = book(list(zip(names, exposures, strict=True)))
    found = factor_exposures(holdings, betas_of([[1.2] if here else [NO_PRICES] for here in known]))
    return told(found.beta, found.coverage, found.covered, holdings=holdings, symbols=names, taints=held)


@pytest.mark.parametrize(("exposure", "withheld"), [(25_000, False), (25_001, True)])
def test_number_is_withheld_below_four_fifths_of_gross_and_not_at_it(exposure: float, withheld: bool) -> None:
    found = _told([True, False], [100_000, -exposure])
    assert (found.unavailable[0, 0] is not None) is withheld
    assert np.isnan(found.values[0, 0]) == withheld
    assert np.isnan(found.of_covered[0, 0]) != withheld


def test_withheld_number_names_the_largest_that_are_not_covered_and_what_the_rest_says() -> None:
    known = [True, False, False, True, False, False]
    found = _told(known, [40_000, 10_000, -20_000, 10_000, 10_000, -10_000])
    why = found.unavailable[0, 0]
    assert (why.reason, why.detail) == (
        "LOW_COVERAGE",
        "50.0% of gross exposure is covered, at least 80% has to be; "
        "without S2 (20.0%), S1 (10.0%), S4 (10.0%) and 1 more",
    )
    assert found.of_covered[0, 0] == pytest.approx(0.6, rel=1e-15)


def test_reason_that_a_number_has_already_stays() -> None:
    found = _told([False, False], [100_000, -50_000])
    assert found.unavailable[0, 0].reason is Reason.MISSING_DATA
    assert np.isnan(found.of_covered[0, 0])


def test_withheld_number_and_missing_one_name_what_is_held_of_those_that_are_not_covered() -> None:
    held = {"S0": "UNEXPLAINED_JUMP of S0 on 2023-03-13", "S1": "UNEXPLAINED_JUMP of S1 on 2023-03-28"}
    withheld, missing = (_told(known, [60_000, 40_000], held) for known in ([True, False], [False, False]))
    assert withheld.unavailable[0, 0].detail.endswith("without S1 (40.0%); tainted by " + held["S1"])
    assert missing.unavailable[0, 0].detail.endswith(f"MISSING_DATA; tainted by {held['S0']}, {held['S1']}")
