"""Made-up companies for the tests of the ratios: what they reported, when it counts, what their profiles say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from services.symbol_analytics.core.fundamentals import PROFILE_FIGURES, PUBLISHED, RATIO_ITEMS, Fundamentals
from services.symbol_analytics.core.histories import Entries, FigureHistory, StatementHistory
from shared.calendar import sessions_between

AS_OF = date(2024, 7, 31)
SESSIONS = np.array(sessions_between(date(2023, 7, 3), AS_OF), dtype="datetime64[D]")
QUARTER_ENDS = tuple(date.fromisoformat(day) for day in ("2024-06-30", "2024-03-31", "2023-12-31", "2023-09-30"))
YEAR_END = date(2023, 12, 31)


@dataclass(frozen=True)
class Report:
    """A period of a statement in one revision; it counts from the day of its publication."""

    statement: str
    frequency: str
    period_end: date
    items: Mapping[str, float]
    counts_from: date
    published: bool = True
    revision: int = 1
    currency: str | None = "USD"


@dataclass(frozen=True)
class Company:
    """A company, or a fund."""

    reports: Sequence[Report] = ()
    figures: Sequence[tuple[str, date, float]] = ()
    currency: str | None = "USD"
    is_fund: bool = False


@dataclass(frozen=True)
class Year:
    """Four quarters whose numbers can be worked out by hand; the newest first."""

    net_income: tuple[float, ...] = (4.0, 3.0, 2.0, 1.0)  # 10 in the year
    total_revenue: tuple[float, ...] = (25.0, 25.0, 25.0, 25.0)  # 100
    ebitda: tuple[float, ...] = (5.0, 5.0, 5.0, 5.0)  # 20
    dividends_paid: tuple[float, ...] = (-0.5, -0.5, -0.5, -0.5)  # 2
    diluted_average_shares: tuple[float, ...] = (10.0, 10.0, 10.0, 10.0)
    total_stockholders_equity: tuple[float, ...] = (50.0, 49.0, 48.0, 47.0)
    net_debt: tuple[float, ...] = (20.0, 21.0, 22.0, 23.0)
    ends: tuple[date, ...] = QUARTER_ENDS
    more: Mapping[str, Any] = field(default_factory=dict)  # of every report

    def reports(self) -> list[Report]:
        """Return the three statements of each quarter, published twenty days after its end."""
        return [
            Report(
                **{
                    "statement": statement,
                    "frequency": "quarterly",
                    "period_end": end,
                    "items": {item: getattr(self, item)[index] for item in items},
                    "counts_from": date.fromordinal(end.toordinal() + 20),
                    **self.more,
                }
            )
            for index, end in enumerate(self.ends)
            for statement, items in RATIO_ITEMS.items()
        ]


def annual(end: date = YEAR_END, *, counts_from: date | None = None, **items: float) -> list[Report]:
    """Return the statements of a year that have these items."""
    day = counts_from or date.fromordinal(end.toordinal() + 45)
    given = {
        statement: {name: items[name] for name in names if name in items} for statement, names in RATIO_ITEMS.items()
    }
    return [Report(statement, "annual", end, known, day) for statement, known in given.items() if known]


def fundamentals(companies: Sequence[Company]) -> Fundamentals:
    """Return what is known of these companies, in their order."""
    return Fundamentals(
        statements={published: _history(companies, *published) for published in PUBLISHED},
        figures={name: _figures(companies, name) for name in PROFILE_FIGURES},
        currencies=_objects([company.currency for company in companies]),
        funds=np.array([company.is_fund for company in companies], dtype=np.bool_),
    )


def _history(companies: Sequence[Company], statement: str, frequency: str) -> StatementHistory:
    rows = [
        (owner, report)
        for owner, company in enumerate(companies)
        for report in company.reports
        if (report.statement, report.frequency) == (statement, frequency)
    ]
    counts_from = [report.counts_from for _, report in rows]
    return StatementHistory(
        entries=Entries(
            len(companies),
            np.array([owner for owner, _ in rows], dtype=np.int64),
            np.array([report.period_end for _, report in rows], dtype="datetime64[D]"),
            np.array(counts_from, dtype="datetime64[D]"),
            np.array([report.revision for _, report in rows], dtype=np.int64),
        ),
        published_on=np.array(
            [report.counts_from if report.published else None for _, report in rows], dtype="datetime64[D]"
        ),
        currencies=_objects([report.currency for _, report in rows]),
        items={
            item: np.array([report.items.get(item, np.nan) for _, report in rows], dtype=np.float64)
            for item in RATIO_ITEMS[statement]
        },
    )


def _figures(companies: Sequence[Company], name: str) -> FigureHistory:
    rows = [
        (owner, day, value)
        for owner, company in enumerate(companies)
        for figure, day, value in company.figures
        if figure == name
    ]
    days = np.array([day for _, day, _ in rows], dtype="datetime64[D]")
    return FigureHistory(
        Entries(
            len(companies),
            np.array([owner for owner, _, _ in rows], dtype=np.int64),
            days,
            days,
            np.ones(len(rows), dtype=np.int64),
        ),
        np.array([value for _, _, value in rows], dtype=np.float64),
        _objects(["test"] * len(rows)),
    )


def _objects(values: Sequence[object]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
