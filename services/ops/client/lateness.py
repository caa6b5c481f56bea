"""Which of the schedule's next times come before a vendor has the session."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.ops.client.answers.schedule import Due
from services.ops.client.answers.vendors import Vendor

_NEW_YORK: Final = ZoneInfo("America/New_York")
_ASKS_NOBODY: Final = "portfolios"


def too_early(following: Sequence[Due], vendors: Sequence[Vendor]) -> Iterator[str]:
    """Yield what is said of each time to come at which a vendor does not have the session yet."""
    for due in following:
        for vendor in vendors:
            if due["stage"] == _ASKS_NOBODY or vendor["complete_from"] is None:
                continue
            complete_at = _complete_at(date.fromisoformat(due["session"]), vendor["complete_from"])
            if datetime.fromisoformat(due["due_at"]) < complete_at:
                yield (
                    f"{due['stage']} of {due['session']} is too early for {vendor['vendor']}, "
                    f"which has it from {complete_at:%Y-%m-%d %H:%M}Z on"
                )


def _complete_at(session: date, complete_from: str) -> datetime:
    hours, minutes = map(int, complete_from.split(":"))
    midnight = datetime.combine(session, datetime.min.time(), tzinfo=_NEW_YORK)
    return (midnight + timedelta(hours=hours, minutes=minutes)).astimezone(UTC)
