"""Windows and constants of the factor regressions, the conventions by default."""

from dataclasses import dataclass

from shared.conventions import (
    BETA_CAP,
    BETA_MIN_OBSERVATIONS,
    BETA_WINDOW,
    FACTOR_MIN_OBSERVATIONS,
    FACTOR_WINDOW,
    RIDGE_ALPHA,
    STALE_AFTER_SESSIONS,
)


@dataclass(frozen=True, slots=True)
class RegressionWindow:
    """The last `sessions` returns, of which at least `min_observations` must be usable."""

    sessions: int
    min_observations: int

    def __post_init__(self) -> None:
        if not 3 <= self.min_observations <= self.sessions:
            raise ValueError(f"min_observations must lie in [3, {self.sessions}], was {self.min_observations}")


@dataclass(frozen=True, slots=True)
class FactorParameters:
    """What the factor regressions are computed with.

    Parameters
    ----------
    style, spread, beta : RegressionWindow
        Of the joint ridge, of the spreads, and of the market and rate betas.
    alpha : float
        Ridge penalty, not scaled by the number of rows.
    cap : float
        Estimates beyond are set to the cap and marked.
    stale_after : int
        A last price more sessions old than this is stale.
    """

    style: RegressionWindow = RegressionWindow(FACTOR_WINDOW, FACTOR_MIN_OBSERVATIONS)
    spread: RegressionWindow = RegressionWindow(FACTOR_WINDOW, FACTOR_MIN_OBSERVATIONS)
    beta: RegressionWindow = RegressionWindow(BETA_WINDOW, BETA_MIN_OBSERVATIONS)
    alpha: float = RIDGE_ALPHA
    cap: float = BETA_CAP
    stale_after: int = STALE_AFTER_SESSIONS

    @property
    def required_sessions(self) -> int:
        """Return how many closes the longest window needs: one more than it has returns."""
        return max(self.style.sessions, self.spread.sessions, self.beta.sessions) + 1
