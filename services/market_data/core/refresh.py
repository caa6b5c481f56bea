"""When the providers are asked again about a company: its profile once a day, its statements after its earnings."""

from dataclasses import dataclass
from datetime import date, timedelta

from shared.conventions import EARNINGS_SETTLE_DAYS, PROFILE_STALE_DAYS


@dataclass(frozen=True, slots=True)
class Asked:
    """When the providers last answered about a symbol, in which edition, and which next earnings were known then."""

    on: date
    edition: str
    earnings: date | None = None


def profile_due(asked: Asked | None, *, edition: str, today: date) -> bool:
    """Tell whether the profile is to be asked for: never asked, on an earlier day, or in another edition."""
    return asked is None or asked.edition != edition or asked.on < today


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
