"""Numbers with reasons: what withholding, cutting and putting side by side do to both."""

import numpy as np

from shared.contracts.event import Measure
from shared.unavailable import Quantities, Reason, Unavailable, no_reasons, reason_columns, reason_where

STALE = Unavailable(Reason.STALE_INPUT, "six sessions old")
EMPTY = Unavailable(Reason.NOT_APPLICABLE, "the book is empty")


def test_withheld_numbers_have_the_reason_and_the_others_stay() -> None:
    found = Quantities.of(np.array([1.0, 2.0])).withheld(reason_where(np.array([False, True]), STALE))

    assert (found.at(0), found.at(1)) == (1.0, STALE)
    assert found.available.tolist() == [True, False]
    assert np.isnan(found.values[1])


def test_reason_of_withholding_precedes_the_one_that_was_there() -> None:
    known = Quantities(np.array([np.nan, np.nan]), np.array([EMPTY, EMPTY], dtype=object))

    found = known.withheld(reason_where(np.array([True, False]), STALE))

    assert found.unavailable.tolist() == [STALE, EMPTY]


def test_quantities_side_by_side_are_columns_of_numbers_and_reasons() -> None:
    column = Quantities(np.array([1.0, np.nan]), np.array([None, STALE], dtype=object))
    table = Quantities.of(np.array([[2.0, 3.0], [4.0, 5.0]]))

    found = Quantities.side_by_side([column, table])

    assert found.values.shape == found.unavailable.shape == (2, 3)
    assert found.part(0).values.tolist() == [1.0, 2.0, 3.0]
    assert found.part((slice(None), 0)).unavailable.tolist() == [None, STALE]


def test_reason_columns_are_nested_as_the_array_is() -> None:
    reasons = no_reasons((2, 2))
    reasons[0, 1] = STALE
    reasons[1, 0] = EMPTY

    assert reason_columns(reasons) == (
        [[None, "STALE_INPUT"], ["NOT_APPLICABLE", None]],
        [[None, "six sessions old"], ["the book is empty", None]],
    )
    assert reason_columns(no_reasons(0)) == ([], [])


def test_measure_of_a_number_is_its_value_and_of_a_reason_the_reason() -> None:
    assert Measure.of(0.0) == Measure(value=0.0)
    assert Measure.of(STALE) == Measure(reason=Reason.STALE_INPUT, detail="six sessions old")
