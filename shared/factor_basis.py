"""The factors that symbols are explained and portfolios stressed by: the market, and what others add to it [9]."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.arrays import BoolArray, FloatArray
from shared.conventions import FACTOR_MIN_OBSERVATIONS, RISK_FACTORS, STYLE_FACTORS
from shared.unavailable import Reason, Unavailable

_MARKET: Final = RISK_FACTORS.index("market")
_RATE: Final = RISK_FACTORS.index("rate")
_STYLES: Final = [RISK_FACTORS.index(style) for style in STYLE_FACTORS]
# Relative to the proxy's returns: what is left below is rounding.
_NOTHING_LEFT: Final = 1e-9
# Least eigenvalue of correlations between factors that are not one another's combination.
_COLLINEAR: Final = 1e-10


@dataclass(frozen=True, slots=True)
class FactorBasis:
    """The factors over a window, in the order of RISK_FACTORS.

    Parameters
    ----------
    factors : ndarray of shape (n_factors, n_sessions)
        The market's return; of each style what its least-squares line on the market leaves; of the rate what that on
        the market and the styles leaves. NaN for a factor without proxy, and on sessions that are not in `rows`.
    proxies : ndarray of shape (n_factors, n_factors)
        What each proxy returns a unit of each factor: lower triangular, the diagonal one, or zero without a proxy.
    rows : ndarray of bool, shape (n_sessions,)
        Sessions with a return of every configured proxy.
    """

    factors: FloatArray
    proxies: FloatArray
    rows: BoolArray

    @property
    def configured(self) -> BoolArray:
        """Which factors have a proxy."""
        return np.diag(self.proxies) > 0.0


def factor_basis(returns: FloatArray, configured: BoolArray) -> FactorBasis | Unavailable:
    """Return the factors of a window.

    Parameters
    ----------
    returns : ndarray of shape (n_factors, n_sessions)
        Total returns of the proxies in the order of RISK_FACTORS; not finite where missing.
    configured : ndarray of bool, shape (n_factors,)
        Which factors have a proxy; the market has.

    Returns
    -------
    FactorBasis or Unavailable
        `INSUFFICIENT_HISTORY` with fewer than FACTOR_MIN_OBSERVATIONS sessions that have every proxy's return, or
        `MISSING_DATA` where all proxies have been there for as many,
        `DEGENERATE_INPUT` naming a proxy that does not vary beside the factors before it.
    """
    rows: BoolArray = np.asarray(np.isfinite(returns[configured]).all(axis=0))
    if rows.sum() < FACTOR_MIN_OBSERVATIONS:
        detail = f"{rows.sum()} of {FACTOR_MIN_OBSERVATIONS} sessions have a return of every proxy"
        # Since the last proxy has begun; argmax of a proxy that never has is zero, and no session is complete.
        lived = rows.size - int(np.isfinite(returns[configured]).argmax(axis=1).max())
        return Unavailable(
            Reason.MISSING_DATA if lived >= FACTOR_MIN_OBSERVATIONS else Reason.INSUFFICIENT_HISTORY, detail
        )
    window = np.ascontiguousarray(returns[:, rows])
    proxies = np.diag(configured.astype(np.float64))
    factors = np.full(returns.shape, np.nan)
    left = {_MARKET: _centred(window[_MARKET])}
    for factor in (*_STYLES, _RATE):
        if configured[factor]:
            before = list(left) if factor == _RATE else [_MARKET]
            proxies[factor, before], left[factor] = _beside([left[each] for each in before], window[factor])
    flat = [RISK_FACTORS[each] for each, rest in left.items() if not _varies(rest, beside=window[each])]
    if flat:
        return Unavailable(Reason.DEGENERATE_INPUT, f"the proxies of {', '.join(flat)} add no variation")
    if not _independent(np.stack(list(left.values()))):
        return Unavailable(Reason.DEGENERATE_INPUT, "the proxies are collinear")
    for factor, rest in left.items():
        factors[factor, rows] = window[_MARKET] if factor == _MARKET else rest
    return FactorBasis(factors, proxies, rows)


def _beside(before: list[FloatArray], returns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients of a least-squares fit on centred regressors, and what it leaves.

    By sums and not by products of matrices, so that two services get the same bits.
    """
    target = _centred(returns)
    sizes = np.array([_size(regressor) for regressor in before])
    scaled = [regressor / size for regressor, size in zip(before, np.where(sizes > 0, sizes, 1.0), strict=True)]
    moments = np.array([[(one * other).sum() for other in scaled] for one in scaled])
    cross = np.array([(one * target).sum() for one in scaled])
    weights = np.linalg.lstsq(moments, cross, rcond=None)[0]
    rest = target.copy()
    for weight, regressor in zip(weights, scaled, strict=True):
        rest -= weight * regressor
    return weights / np.where(sizes > 0, sizes, 1.0), rest


def _centred(returns: FloatArray) -> FloatArray:
    centred: FloatArray = returns - returns.sum() / returns.size
    return centred


def _size(values: FloatArray) -> float:
    return float(np.sqrt((values * values).sum()))


def _varies(rest: FloatArray, *, beside: FloatArray) -> bool:
    return _size(rest) > _NOTHING_LEFT * _size(beside)


def _independent(factors: FloatArray) -> bool:
    scaled = factors / np.array([_size(factor) for factor in factors])[:, None]
    correlations = (scaled[:, None] * scaled).sum(axis=-1)
    return bool(np.linalg.eigvalsh(correlations)[0] > _COLLINEAR)
