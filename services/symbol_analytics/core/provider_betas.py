"""The betas that providers give in their profiles, as far as they were known at a session."""

from datetime import date
from typing import Final

import numpy as np

from services.symbol_analytics.core.histories import FigureHistory
from shared.unavailable import Quantities, Reason, Unavailable, no_reasons

NO_PROFILE_BETA: Final = Unavailable(Reason.MISSING_DATA, "no provider has given a beta")


def provider_betas(history: FigureHistory, as_of: date) -> Quantities:
    """Return each symbol's newest beta as of a session, or why there is none: also when all are of a later day."""
    known = history.known_at(as_of)
    unavailable = no_reasons(known.values.shape)
    missing = np.isnat(known.days)
    unavailable[missing] = NO_PROFILE_BETA
    entries = history.entries
    later = np.flatnonzero(entries.counts_from > np.datetime64(as_of, "D"))
    latest_first = later[np.argsort(entries.day[later])[::-1]]
    for symbol, day in zip(entries.symbol[latest_first], entries.day[latest_first].tolist(), strict=True):
        if missing[symbol]:
            unavailable[symbol] = Unavailable(Reason.MISSING_DATA, f"the provider's beta is of {day}")
    return Quantities(known.values, unavailable)
