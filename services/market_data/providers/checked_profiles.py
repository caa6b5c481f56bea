"""Profiles as a provider gave them: one without any fact is none."""

from dataclasses import replace
from typing import Final

from services.market_data.providers.provider import FetchedProfiles
from shared.profile import FACTS
from shared.unavailable import Reason, Unavailable

NO_FACT: Final = Unavailable(Reason.MISSING_DATA, "no fact of its row can be used")


def checked_profiles(fetched: FetchedProfiles) -> FetchedProfiles:
    """Return the profiles with any fact in them; the other symbols are unavailable."""
    given = fetched.profiles.items()
    said = {symbol: facts for symbol, facts in given if any(getattr(facts, name) is not None for name in FACTS)}
    silent = fetched.profiles.keys() - said.keys()
    return replace(fetched, profiles=said, unavailable={**fetched.unavailable, **dict.fromkeys(silent, NO_FACT)})
