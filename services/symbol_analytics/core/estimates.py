"""The table of factor estimates, put together one factor at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.unavailable import Quantities, Unavailable, is_available


@dataclass(frozen=True, slots=True)
class FactorEstimates:
    """Estimates of a shard; every array has the shape (n_symbols, n_factors), factors in the order of FACTORS.

    Parameters
    ----------
    betas : Quantities
    capped : ndarray of bool
        True where the estimate lay beyond the cap and `betas` holds the cap.
    r_squared : Quantities
        Of the fit the beta comes from; the style factors of a symbol share one. `NOT_APPLICABLE` for provider betas.
    std_errors, p_values : Quantities
        `NOT_APPLICABLE` for ridge and provider betas.
    n_observations : ndarray of int64
        Rows counted, also where they were too few; 0 where no fit was made.
    first_row, last_row : ndarray of int64
        Rows of the closes given, that is sessions, of the first and the last return used; -1 where none was.
    """

    betas: Quantities
    capped: BoolArray
    r_squared: Quantities
    std_errors: Quantities
    p_values: Quantities
    n_observations: IntArray
    first_row: IntArray
    last_row: IntArray


@dataclass(frozen=True, slots=True)
class FactorColumn:
    """One factor of all symbols, arrays of shape (n_symbols,).

    `betas` are NaN exactly where `unavailable` has an entry; the other statistics may also be undefined by the method,
    for the reason `undefined`.
    """

    betas: FloatArray
    unavailable: ReasonArray
    capped: BoolArray
    r_squared: FloatArray
    std_errors: FloatArray
    p_values: FloatArray
    n_observations: IntArray
    first_row: IntArray
    last_row: IntArray
    undefined: Unavailable | None = None


def absent(n_symbols: int, why: Unavailable) -> FactorColumn:
    """Return a factor that no symbol has, all for the same reason."""
    nothing = np.full(n_symbols, np.nan)
    no_row = np.full(n_symbols, -1, dtype=np.int64)
    return FactorColumn(
        betas=nothing,
        unavailable=np.full(n_symbols, why, dtype=object),
        capped=np.zeros(n_symbols, dtype=np.bool_),
        r_squared=nothing,
        std_errors=nothing,
        p_values=nothing,
        n_observations=np.zeros(n_symbols, dtype=np.int64),
        first_row=no_row,
        last_row=no_row,
    )


def withheld(column: FactorColumn, reasons: ReasonArray) -> FactorColumn:
    """Replace the estimates of the symbols that have a reason by that reason; counts and rows stay as counted."""
    kept = is_available(reasons)
    return replace(
        column,
        betas=np.where(kept, column.betas, np.nan),
        unavailable=np.where(kept, column.unavailable, reasons),
        capped=column.capped & kept,
        r_squared=np.where(kept, column.r_squared, np.nan),
        std_errors=np.where(kept, column.std_errors, np.nan),
        p_values=np.where(kept, column.p_values, np.nan),
    )


def assembled(columns: Sequence[FactorColumn]) -> FactorEstimates:
    """Return the table of these columns, in their order."""
    return FactorEstimates(
        betas=Quantities(
            np.stack([c.betas for c in columns], axis=1), np.stack([c.unavailable for c in columns], axis=1)
        ),
        capped=np.stack([c.capped for c in columns], axis=1),
        r_squared=_statistic(columns, [c.r_squared for c in columns]),
        std_errors=_statistic(columns, [c.std_errors for c in columns]),
        p_values=_statistic(columns, [c.p_values for c in columns]),
        n_observations=np.stack([c.n_observations for c in columns], axis=1),
        first_row=np.stack([c.first_row for c in columns], axis=1),
        last_row=np.stack([c.last_row for c in columns], axis=1),
    )


def _statistic(columns: Sequence[FactorColumn], values: Sequence[FloatArray]) -> Quantities:
    """Attach to each missing number the reason of its beta, or the one for which the method has no such number."""
    unavailable = np.stack([column.unavailable for column in columns], axis=1)
    for j, (column, numbers) in enumerate(zip(columns, values, strict=True)):
        unavailable[~np.isnan(column.betas) & np.isnan(numbers), j] = column.undefined
    return Quantities(np.stack(values, axis=1), unavailable)
