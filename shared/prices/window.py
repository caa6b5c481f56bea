"""Prices of some symbols over consecutive sessions, as plain arrays."""

from dataclasses import dataclass

from shared.arrays import DateArray, FloatArray


@dataclass(frozen=True, slots=True)
class PriceWindow:
    """Prices of some symbols over consecutive sessions.

    Attributes
    ----------
    sessions : ndarray of datetime64[D], shape (n_sessions,)
        Oldest first.
    close, adjusted : ndarray of shape (n_sessions, n_symbols)
        As traded, and adjusted to total return; NaN where there is no bar.
    split, dividend : ndarray of shape (n_sessions, n_symbols)
        Split factor effective (1: none) and cash dividend ex (0: none) at that session.
    """

    sessions: DateArray
    symbols: tuple[str, ...]
    close: FloatArray
    adjusted: FloatArray
    split: FloatArray
    dividend: FloatArray
