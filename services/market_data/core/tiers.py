"""How soon the facts of a profile grow old: what a company is worth, what is expected of it, what it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.profile import FACTS


class Tier(StrEnum):
    """Facts that grow old together."""

    VALUATIONS = "valuations"
    ESTIMATES = "estimates"
    DESCRIPTION = "description"


Tiers = frozenset[Tier]
EVERY_TIER: Final[Tiers] = frozenset(Tier)
# Of which symbols which facts are to be asked for; of a symbol that is not there, all of them.
DueTiers = Mapping[str, Tiers]
EVERYTHING: Final[DueTiers] = MappingProxyType({})

_VALUATIONS: Final = (
    "market_cap shares_outstanding pe_ratio forward_pe dividend_yield week_52_high week_52_low last_updated"
)
_DESCRIPTION: Final = (
    "name sector industry country exchange currency is_etf is_fund description ceo employees website fiscal_year_end "
    "fiscal_quarter_offset"
)
# What is in neither is what somebody makes of a company: estimates, targets, margins, a beta, the next earnings.
TIER_OF: Final[Mapping[str, Tier]] = MappingProxyType(
    dict.fromkeys(FACTS, Tier.ESTIMATES)
    | dict.fromkeys(_VALUATIONS.split(), Tier.VALUATIONS)
    | dict.fromkeys(_DESCRIPTION.split(), Tier.DESCRIPTION)
)


@dataclass(frozen=True, slots=True)
class Ages:
    """After how many days each tier is asked for again."""

    valuations: int = 1
    estimates: int = 7
    description: int = 30


AGES: Final = Ages()


def facts_of(tiers: Tiers) -> frozenset[str]:
    """Return the facts that are to be asked of other providers where the first one does not have them.

    None where only valuations are due: what they lack waits for the turn of what grows old less soon, or who has
    nothing of a fund would be asked for each of them every night.
    """
    if tiers <= {Tier.VALUATIONS}:
        return frozenset()
    return frozenset(fact for fact, tier in TIER_OF.items() if tier in tiers)
