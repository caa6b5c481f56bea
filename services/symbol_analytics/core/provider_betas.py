"""The betas that providers give in their profiles, as far as they were known at a session."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.unavailable import FloatArray, Quantities, Reason, Unavailable

NO_PROFILE_BETA: Final = Unavailable(Reason.MISSING_DATA, "no provider has given a beta")


@dataclass(frozen=True, slots=True, eq=False)
class ProviderBetas:
    """Per symbol the newest beta that a provider has given.

    Parameters
    ----------
    values : ndarray of shape (n_symbols,)
        NaN where there is none.
    dates : ndarray of datetime64[D], shape (n_symbols,)
        Of when the beta is, NaT where the provider does not say.
    sources : tuple of str or None
        The providers.
    """

    values: FloatArray
    dates: NDArray[np.datetime64]
    sources: tuple[str | None, ...]

    def known_at(self, as_of: date) -> Quantities:
        """Return the betas, and the reasons where there is none or only one that is later than `as_of`."""
        unavailable = np.full(len(self.values), None, dtype=object)
        later = self.dates > np.datetime64(as_of, "D")  # NaT compares false
        for day in np.unique(self.dates[later]).tolist():
            why = Unavailable(Reason.MISSING_DATA, f"the provider's beta is of {day}")
            unavailable[self.dates == np.datetime64(day, "D")] = why
        unavailable[np.isnan(self.values)] = NO_PROFILE_BETA
        return Quantities(np.where(later, np.nan, self.values), unavailable)

    def origins(self) -> Iterator[tuple[str | None, date | None]]:
        """Yield the source and the date of each beta."""
        return zip(self.sources, self.dates.tolist(), strict=True)
