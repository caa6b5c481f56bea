"""Correlation of total returns over the last sessions, pair by pair, repaired where no such matrix exists."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from shared.arrays import BoolArray, FloatArray, IntArray
from shared.conventions import CORRELATION_MIN_OVERLAP

# An eigenvalue below is no rounding: pairs over different sessions do not make a correlation matrix.
NOT_PSD: Final = -1e-10
# Relative to the mean square: below, a variance is rounding.
_NO_VARIANCE: Final = 1e-12


@dataclass(frozen=True, slots=True)
class CorrelationMatrix:
    """Correlations of k series.

    Parameters
    ----------
    values : ndarray of shape (k, k)
        Symmetric with ones on the diagonal; NaN for a pair with too few common sessions or without variance.
    complete : ndarray of int64
        The series that have a correlation with one another: every eigenvalue of their part is >= 0.
    clip : float
        Largest absolute change of an entry by the repair, 0 where none was needed.
    missing_pairs : int
    """

    values: FloatArray
    complete: IntArray
    clip: float
    missing_pairs: int

    @property
    def complete_part(self) -> FloatArray:
        """The correlations of the complete series with one another."""
        if self.complete.size == len(self.values):
            return self.values
        part: FloatArray = self.values[np.ix_(self.complete, self.complete)]
        return part


def correlate(returns: FloatArray, *, min_overlap: int = CORRELATION_MIN_OVERLAP) -> CorrelationMatrix:
    """Return Pearson correlations of each pair over the sessions that both have.

    Parameters
    ----------
    returns : ndarray of shape (k, n_sessions)
        NaN where missing.
    min_overlap : int
        Fewer common sessions: the pair is missing.

    Returns
    -------
    CorrelationMatrix
        Where the smallest eigenvalue of the complete part is below NOT_PSD, negative ones are set to zero and the
        diagonal is scaled back to one (Rebonato & Jaeckel 1999).

    Notes
    -----
    NaN policy: a missing return costs its session in the pairs of that series, not in the others.
    """
    values = correlations(returns, min_overlap=min_overlap)
    missing_pairs = int(np.isnan(values).sum()) // 2
    complete = _complete_set(values)
    part = values[np.ix_(complete, complete)]
    clip = 0.0
    # Pairs over the same sessions make a correlation matrix by themselves.
    if part.size and not np.isfinite(returns).all() and np.linalg.eigvalsh(part)[0] < NOT_PSD:
        repaired = nearest_psd(part)
        clip = float(np.abs(repaired - part).max())
        values[np.ix_(complete, complete)] = repaired
    return CorrelationMatrix(values, complete, clip, missing_pairs)


def correlate_complete(standard: FloatArray) -> CorrelationMatrix | None:
    """Return what `correlate` says of series without a missing return, or None where it has more to say.

    Parameters
    ----------
    standard : ndarray of shape (k, n_sessions)
        Series by `standardised`: of many that are correlated in several matrices each is seen to once.
    """
    values: FloatArray = np.clip(standard @ standard.T, -1.0, 1.0)
    np.fill_diagonal(values, 1.0)
    return None if np.isnan(values).any() else CorrelationMatrix(values, np.arange(len(values)), 0.0, 0)


def correlations(returns: FloatArray, *, min_overlap: int = CORRELATION_MIN_OVERLAP) -> FloatArray:
    """Return Pearson correlations of each pair over the sessions that both have, as they are.

    Parameters
    ----------
    returns : ndarray of shape (k, n_sessions)
        NaN where missing.
    min_overlap : int
        Fewer common sessions: the pair is missing.

    Returns
    -------
    ndarray of shape (k, k)
        Ones on the diagonal; NaN for a pair with too few common sessions or without variance.
    """
    present = np.isfinite(returns)
    values = _complete_pairs(returns) if present.all() else _overlapping_pairs(returns, present)
    if returns.shape[1] < min_overlap:
        values[:] = np.nan
    elif not present.all():
        values[present.astype(np.float64) @ present.T.astype(np.float64) < min_overlap] = np.nan
    np.fill_diagonal(values, 1.0)
    return values


def nearest_psd(matrix: FloatArray) -> FloatArray:
    """Return the matrix with negative eigenvalues set to zero, scaled back to ones on the diagonal."""
    eigenvalues, eigenvectors = np.linalg.eigh(matrix)
    rebuilt = (eigenvectors * np.maximum(eigenvalues, 0.0)) @ eigenvectors.T
    scale = np.sqrt(np.diag(rebuilt))
    scale = np.where(scale > 0, scale, 1.0)
    repaired: FloatArray = np.clip(rebuilt / scale / scale[:, None], -1.0, 1.0)
    np.fill_diagonal(repaired, 1.0)
    return (repaired + repaired.T) / 2


def varying(returns: FloatArray) -> BoolArray:
    """Return which rows of complete returns have a variance that is no rounding, (k, n_sessions) -> (k,)."""
    return _about_mean(returns)[2]


def standardised(returns: FloatArray, *, min_overlap: int = CORRELATION_MIN_OVERLAP) -> FloatArray:
    """Return the deviations of each series from its mean over their length: the product of two is a correlation.

    Parameters
    ----------
    returns : ndarray of shape (k, n_sessions)
        NaN where missing.
    min_overlap : int
        Fewer sessions: there is no correlation.

    Returns
    -------
    ndarray of shape (k, n_sessions)
        NaN for a series with a session missing, too few of them or without variance.
    """
    deviations, squares, varies = _about_mean(returns)
    known = varies & (returns.shape[1] >= min_overlap)
    deviations /= np.sqrt(np.where(known, squares, np.nan))[:, None]
    return deviations


@cache
def above_diagonal(size: int) -> tuple[IntArray, ...]:
    """Return the places above the diagonal of a matrix, row by row."""
    return tuple(np.triu_indices(size, 1))


def _about_mean(returns: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return the deviations of each row from its mean, the sums of their squares, and whether these are no rounding."""
    deviations = returns - returns.sum(axis=1, keepdims=True) / max(returns.shape[1], 1)
    squares: FloatArray = (deviations * deviations).sum(axis=1)
    return deviations, squares, squares > _NO_VARIANCE * (returns * returns).sum(axis=1)


def _complete_pairs(returns: FloatArray) -> FloatArray:
    deviations = standardised(returns, min_overlap=0)
    values: FloatArray = np.clip(deviations @ deviations.T, -1.0, 1.0)
    return values


def _overlapping_pairs(returns: FloatArray, present: BoolArray) -> FloatArray:
    mask = present.astype(np.float64)
    filled = np.where(present, returns, 0.0)
    # About its own mean each series loses fewer digits in the differences below.
    filled = np.where(present, filled - (filled.sum(axis=1) / np.maximum(mask.sum(axis=1), 1.0))[:, None], 0.0)
    common = np.maximum(mask @ mask.T, 1.0)
    mean = filled @ mask.T / common  # [i, j]: mean of i over the sessions it has in common with j
    square = (filled * filled) @ mask.T / common
    variance = square - mean * mean
    product = filled @ filled.T / common - mean * mean.T
    varies = (variance > _NO_VARIANCE * square) & (variance.T > _NO_VARIANCE * square.T)
    scale = np.sqrt(np.where(varies, variance * variance.T, 1.0))
    values: FloatArray = np.where(varies, np.clip(product / scale, -1.0, 1.0), np.nan)
    return values


def _complete_set(values: FloatArray) -> IntArray:
    """Return the series left when those with most missing pairs are taken out one by one, the last of equals first."""
    kept = np.arange(values.shape[0])
    missing = np.isnan(values)
    while missing[np.ix_(kept, kept)].any():
        counts = missing[np.ix_(kept, kept)].sum(axis=1)
        kept = np.delete(kept, counts.size - 1 - counts[::-1].argmax())
    return kept
