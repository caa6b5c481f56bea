"""When the providers are asked again about a company: a profile by the age of its parts, statements by earnings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from services.market_data.core.tiers import EVERY_TIER, Ages, Tier, Tiers
from shared.conventions import EARNINGS_SETTLE_DAYS, PROFILE_STALE_DAYS


@dataclass(frozen=True, slots=True)
class Asked:
    """When the providers last answered about a symbol, in which edition, and which next earnings were known then."""

    on: date
    edition: str
    earnings: date | None = None


@dataclass(frozen=True, slots=True)
class AskedProfile:
    """When each tier of a profile was last answered for, in which edition, and the next earnings as known now."""

    on: Mapping[Tier, date]
    edition: str
    earnings: date | None = None


def tiers_due(asked: AskedProfile | None, *, edition: str, today: date, ages: Ages) -> Tiers:
    """Return which parts of a profile are to be asked for.

    All of them if they never were, or in another edition; else each that is as old as `ages` say, and what is expected
    of a company once a day from `EARNINGS_SETTLE_DAYS` before its earnings to as many after them.
    """
    if asked is None or asked.edition != edition:
        return EVERY_TIER
    oldest = {tier: today - timedelta(days=getattr(ages, tier)) for tier in Tier}
    if asked.earnings is not None and abs((today - asked.earnings).days) <= EARNINGS_SETTLE_DAYS:
        oldest[Tier.ESTIMATES] = today - timedelta(days=1)
    return frozenset(tier for tier in Tier if asked.on.get(tier, date.min) <= oldest[tier])


def statements_due(asked: Asked | None, *, edition: str, earnings: date | None, today: date) -> bool:
    """Tell whether the statements are to be asked for.

    They are if they never were, if the edition of the providers is another one, from `EARNINGS_SETTLE_DAYS` after the
    next earnings on, once, and once a day as long as the next earnings are not known. A date that has long passed says
    nothing about the next one.

    Parameters
    ----------
    asked : Asked or None
        The last time; None if never.
    edition : str
        Of the providers, now.
    earnings : date or None
        The next earnings as known now. A provider may put them forward a quarter as soon as they are out, so those that
        were known at the last time count as well.
    today : date
    """
    if asked is None or asked.edition != edition:
        return True
    if earnings is None or (today - earnings).days > PROFILE_STALE_DAYS:
        return asked.on < today
    settled = [day + timedelta(days=EARNINGS_SETTLE_DAYS) for day in (asked.earnings, earnings) if day is not None]
    return any(asked.on < day <= today for day in settled)
