"""What is known of a symbol when a provider says something new: fact by fact, nothing known is lost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from shared.profile import FACTS, ProfileFacts

# The day of a period -> the facts that are about that period and mean nothing under another one.
PERIODS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "beta_as_of": ("beta",),
        "next_earnings_date": ("next_earnings_expected_eps", "next_earnings_expected_revenue"),
        **{
            day: tuple(name for name in FACTS if name.startswith(prefix) and name != day)
            for day, prefix in (
                ("current_year_end_date", "current_year_"),
                ("next_year_end_date", "next_year_"),
                ("current_quarter_target_period_date", "current_quarter_"),
                ("next_quarter_target_period_date", "next_quarter_"),
            )
        },
    }
)
# The facts that are money, and mean nothing under another currency.
MONEY: Final = frozenset(
    fact
    for fact in FACTS
    if fact.endswith(("_avg", "_low", "_high", "_price", "_eps", "_expected_revenue"))
    or fact in {"market_cap", "total_revenue"}
)
# Figures that other numbers are computed from, and so need the day from which they count.
DATED_FACTS: Final = ("market_cap", "shares_outstanding", "dividend_yield")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who gave a fact, when it was fetched, and of when the provider says it is."""

    source: str
    fetched_at: datetime
    dated: date | None = None

    @property
    def counts_from(self) -> date:
        """The first day that may use the fact: nobody knew it before it was dated or, undated, fetched."""
        return self.dated or self.fetched_at.date()


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """The facts that are known of a symbol, each with its origin; the source is that of the last change."""

    facts: ProfileFacts
    source: str
    fetched_at: datetime
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def origin(self, fact: str) -> Origin:
        """Return where a fact comes from."""
        return self.origins.get(fact) or Origin(self.source, self.fetched_at)

    def counts_from(self) -> dict[str, date]:
        """Return the day from which each of the `DATED_FACTS` that are known counts."""
        return {fact: self.origin(fact).counts_from for fact in DATED_FACTS if getattr(self.facts, fact) is not None}


def merge_answers(
    known: KnownProfile | None, answers: Iterable[tuple[ProfileFacts, str]], *, symbol: str, fetched_at: datetime
) -> KnownProfile:
    """Return what is known once these providers, the preferred one first, have answered about a symbol.

    Each fact is from the first that gives it; `known` itself if they say nothing new.
    """
    merged, said = known, ProfileFacts(symbol=symbol)
    for facts, source in answers:
        added = facts_beside(said, facts)
        dated = facts.last_updated
        merged = merge_profile(merged, added, source=source, fetched_at=fetched_at, dated=dated)
        said = said.model_copy(update=added.model_dump(exclude_none=True))
    return merged or KnownProfile(said, "", fetched_at)


def facts_beside(said: ProfileFacts, other: ProfileFacts) -> ProfileFacts:
    """Return what another provider knows beside what was said.

    Facts of a period only where nothing was said of it, or of the same one; money only in the same currency.
    """
    added = {fact: getattr(other, fact) for fact in FACTS if getattr(said, fact) is None}
    if said.currency is not None and other.currency is not None and said.currency != other.currency:
        added = {fact: value for fact, value in added.items() if fact not in MONEY}
    for day, facts in PERIODS.items():
        told = any(getattr(said, fact) is not None for fact in (day, *facts))
        if not told:
            continue
        if getattr(said, day) != getattr(other, day):
            added = {fact: value for fact, value in added.items() if fact not in {day, *facts}}
        elif any(added.get(fact) is not None for fact in facts):
            added[day] = getattr(other, day)
    return ProfileFacts(symbol=other.symbol).model_copy(update=added)


def merge_profile(
    known: KnownProfile | None,
    given: ProfileFacts,
    *,
    source: str,
    fetched_at: datetime,
    dated: date | None = None,
) -> KnownProfile:
    """Return what is known once a provider has given these facts; `known` itself if it says nothing new.

    A fact that the provider does not give stays as it is known. Facts of a period go together: under another day of
    that period (the fiscal year has ended, a beta was estimated anew) those that are not given are no longer known.
    `dated`: of when the provider says its figures are, where that is not among them.
    """
    dated = given.last_updated or dated
    if known is None:
        known = KnownProfile(ProfileFacts(symbol=given.symbol), source, fetched_at)
    origin = Origin(source, fetched_at, dated)
    outdated = _outdated(known.facts, given)
    changes: dict[str, Any] = {}
    origins = {fact: where for fact, where in known.origins.items() if fact not in outdated}
    for fact in FACTS:
        before, after = getattr(known.facts, fact), getattr(given, fact)
        if after is None:
            if fact in outdated and before is not None:
                changes[fact] = None
        elif before != after or _dated_anew(known, fact, dated):
            changes[fact] = after
            origins[fact] = origin
    if not changes:
        return known
    return KnownProfile(known.facts.model_copy(update=changes), source, fetched_at, origins)


def _outdated(known: ProfileFacts, given: ProfileFacts) -> set[str]:
    outdated: set[str] = set()
    for day, facts in PERIODS.items():
        says_something = any(getattr(given, fact) is not None for fact in (day, *facts))
        if says_something and getattr(given, day) != getattr(known, day):
            outdated |= {day, *facts}
    return outdated


def _dated_anew(known: KnownProfile, fact: str, dated: date | None) -> bool:
    # The same market value of a later day is as good as a new one.
    return fact in DATED_FACTS and dated is not None and known.origin(fact).dated != dated
