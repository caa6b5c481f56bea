"""Which results a listing asks for: what every service's pages have in common."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, WithJsonSchema

from shared.calendar import FIRST_SESSION, has_session, shift_session
from shared.clock import Clock
from shared.problems import Problem

Subject = TypeVar("Subject", str, UUID)


# Within what the calendar knows, whatever is added to it or taken from it.
FIRST_DAY, LAST_DAY = date(1990, 1, 2), date(2099, 12, 31)


def _as_text(value: object) -> object:
    # Pydantic takes numbers, and texts of digits, for seconds since 1970.
    if isinstance(value, int | float) or (isinstance(value, str) and "-" not in value[1:]):
        raise ValueError("must be written as in ISO 8601, 2022-12-28")
    return value


# A day of the calendar, as a parameter or in a body.
Day = Annotated[
    date,
    Field(ge=FIRST_DAY, le=LAST_DAY),
    BeforeValidator(_as_text),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date",
            "formatMinimum": str(FIRST_DAY),
            "formatMaximum": str(LAST_DAY),
            "description": f"a day from {FIRST_DAY} to {LAST_DAY}",
            "examples": ["2022-12-28"],
        }
    ),
]


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from error


# An offset can lead out of the calendar, and no database column would take that.
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_as_text),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2022-12-28T21:00:00Z"]}),
]


def check_order(first: date, last: date) -> None:
    """Refuse a range that is reversed.

    Raises
    ------
    Problem
        422, naming the bound.
    """
    if first > last:
        raise Problem.of_field("query.first", f"must not be after {last}, the end of the range, was {first}")


def check_range(first: date, last: date) -> None:
    """Refuse a range that is reversed or holds no session.

    Raises
    ------
    Problem
        422, naming the bound.
    """
    check_order(first, last)
    if not has_session(first, last):
        raise Problem.of_field("query.last", f"must be a session or later, there is none from {first} to {last}")


@dataclass(frozen=True, slots=True)
class Slice(Generic[Subject]):
    """Which results to read, as they were known at an instant, and where the page begins: after a session and subject.

    Subjects are symbols or portfolios, None for all of them; `limit` counts them.
    """

    subjects: tuple[Subject, ...] | None
    first: date
    last: date
    known_at: datetime | None
    limit: int
    after_as_of: date = date.min
    after_subject: Subject | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of a query, one a field."""
        return {**asdict(self), "subjects": None if self.subjects is None else list(self.subjects)}


@dataclass(frozen=True)
class SessionSelection:
    """Results of the sessions in [first, last], as they were known at an instant."""

    first: Annotated[Day | None, Query(description="none: from the beginning")] = None
    last: Annotated[Day | None, Query(description="none: up to now")] = None
    known_at: Annotated[Instant | None, Query(description="what was known then; none: now")] = None

    def slice_of(
        self, subjects: Sequence[Subject] | None, clock: Clock, after: tuple[date, Subject] | None, limit: int
    ) -> Slice[Subject]:
        """Return the selection of these subjects, None for all of them, behind a key, for a repository."""
        first, last = self.first or FIRST_SESSION, self.last or clock.now().date()
        check_range(first, last)
        after_as_of, after_subject = after or (date.min, None)
        return Slice(
            subjects=None if subjects is None else tuple(subjects),
            first=first,
            last=last,
            known_at=self.known_at,
            limit=limit,
            after_as_of=after_as_of,
            after_subject=after_subject,
        )


@dataclass(frozen=True)
class PortfolioSelection(SessionSelection):
    """Which results of portfolios to list."""

    portfolio_id: Annotated[list[UUID] | None, Query(description="repeat for several; none: all")] = None

    def slice(self, clock: Clock, after: tuple[date, UUID] | None, limit: int) -> Slice[UUID]:
        """Return the selection behind a session and portfolio for a repository."""
        return self.slice_of(self.portfolio_id, clock, after, limit)


@dataclass(frozen=True)
class Comparison:
    """The newest revision of a session, compared with the session before, another one, or its own earlier revision."""

    as_of: Annotated[Day | None, Query(description="none: now")] = None
    since: Annotated[Day | None, Query(description="none: the session before")] = None
    revision: Annotated[int | None, Query(ge=1, description="an earlier one, in the place of a session")] = None

    def before(self, as_of: date, newest: int) -> date:
        """Return the day that what is compared with is of, or the newest before it.

        Raises
        ------
        Problem
            422, where that is not earlier than the `newest` revision of `as_of`.
        """
        if self.revision is not None and self.since is not None:
            raise Problem.of_field("query.revision", f"must not be given with since, was {self.revision}")
        if self.revision is not None and self.revision >= newest:
            raise Problem.of_field("query.revision", f"must be below {newest}, the newest one, was {self.revision}")
        if self.since is not None and self.since >= as_of:
            raise Problem.of_field("query.since", f"must be before {as_of}, was {self.since}")
        return as_of if self.revision is not None else self.since or shift_session(as_of, -1)
