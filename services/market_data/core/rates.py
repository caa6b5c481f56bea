"""Interest rates: which series are kept, and from when on they are asked for again."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, get_args

SeriesName = Literal["DGS3MO", "DGS10"]
SERIES: Final[tuple[SeriesName, ...]] = get_args(SeriesName)
RISK_FREE_SERIES: Final = "DGS3MO"  # the market yield of three-month Treasuries
RESTATED_DAYS: Final = 10  # what is so recent is asked for again
ASK_AGAIN_AFTER: Final = timedelta(hours=6)  # a day's rates come in the afternoon of the next one


@dataclass(frozen=True, slots=True)
class AskedRates:
    """From which day on a series was ever asked for, when last, and the newest day that has a rate."""

    since: date
    at: datetime
    newest: date | None


def first_to_ask(asked: AskedRates | None, *, since: date, until: date, now: datetime) -> date | None:
    """Return from which day on a series that is kept from `since` to `until` is asked for, None where it is not."""
    if asked is None or since < asked.since:
        return since
    if (asked.newest is not None and asked.newest >= until) or now - asked.at < ASK_AGAIN_AFTER:
        return None
    return max(since, (asked.newest or since) - timedelta(days=RESTATED_DAYS))
