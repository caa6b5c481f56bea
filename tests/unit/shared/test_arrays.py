"""Days as arrays."""

from datetime import date

import numpy as np

from shared.arrays import days_of


def test_days_are_those_that_numpy_makes_of_them() -> None:
    days = [date.min, date(1969, 12, 31), date(1970, 1, 1), None, date(2024, 2, 29), date.max]

    found, expected = days_of(days), np.array(days, dtype="datetime64[D]")

    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_no_days_are_an_empty_array() -> None:
    assert days_of([]).shape == (0,)
