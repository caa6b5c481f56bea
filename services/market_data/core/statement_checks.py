"""What a statement cannot say: rows and items that are set aside, each with its rule."""

import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from services.market_data.core.findings import Finding, Rule
from services.market_data.core.statements import GivenStatement, Period
from shared.fundamentals import ITEMS

_POSITIVE: Final = frozenset({"basic_average_shares", "diluted_average_shares"})
# Expenses are positive and cash that leaves is negative: the other way round a profit would turn into a loss.
_NOT_NEGATIVE: Final = frozenset(
    {
        *("cost_of_revenue", "research_and_development", "selling_general_and_administrative"),
        *("depreciation_and_amortization", "total_assets", "current_assets", "cash_and_cash_equivalents"),
        *("total_liabilities", "current_liabilities", "short_term_debt", "long_term_debt", "total_debt"),
    }
)
_NOT_POSITIVE: Final = frozenset(
    {"capital_expenditures", "purchases_of_investments", "dividends_paid", "stock_repurchases"}
)


def _limits(name: str) -> tuple[float, float, str]:
    # The smallest and the largest number that an item can be, and what is said of another one.
    if name in _POSITIVE:
        return math.ulp(0.0), sys.float_info.max, "must be positive"
    if name in _NOT_NEGATIVE:
        return 0.0, sys.float_info.max, "must not be negative"
    if name in _NOT_POSITIVE:
        return -sys.float_info.max, 0.0, "must not be positive: cash that leaves is negative"
    return -sys.float_info.max, sys.float_info.max, "must be finite"


_LIMITS: Final = {statement: {name: _limits(name) for name in items} for statement, items in ITEMS.items()}
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")


@dataclass(frozen=True, slots=True)
class CheckedStatements:
    """The statements that can be used, one per period, in the order given, and what was set aside."""

    statements: tuple[GivenStatement, ...]
    findings: tuple[Finding, ...]


def check_statements(given: Iterable[GivenStatement], *, provider: str, today: date) -> CheckedStatements:
    """Set aside what cannot be: periods that have not ended, items outside of what they mean, repeated periods.

    Of two statements for one period the first is kept. A day of publication before the end of the period or after
    `today` is left out, the statement kept.
    """
    accepted: dict[Period, GivenStatement] = {}
    findings: list[Finding] = []
    for statement in given:
        problems, usable = _check(statement, today)
        first = accepted.setdefault(usable.period, usable) if usable.items else usable
        if first is not usable:
            rule = Rule.DUPLICATE_IDENTICAL if first == usable else Rule.DUPLICATE_CONFLICTING
            problems.append((rule, f"{_named(usable)}: the first row is kept"))
        findings += [_finding(statement, provider, *problem) for problem in problems]
    return CheckedStatements(tuple(accepted.values()), tuple(findings))


def _check(statement: GivenStatement, today: date) -> tuple[list[tuple[Rule, str]], GivenStatement]:
    if statement.period.end > today:
        return [(Rule.FUTURE_DATE, f"{_named(statement)} had not ended on {today}")], replace(statement, items={})
    unusable = {name: why for name, value in statement.items.items() if (why := _problem(statement, name, value))}
    details = [f"{name} {statement.items[name]!r} {why}" for name, why in unusable.items()]
    labels = _unusable_labels(statement, today)
    details += [f"{name} {getattr(statement, name)!s} of {_named(statement)}" for name in labels]
    problems = [(Rule.UNUSABLE_FIELD, detail) for detail in details]
    items = {name: value for name, value in statement.items.items() if name not in unusable}
    if not items:
        problems.append((Rule.MISSING_VALUE, f"{_named(statement)} has no item"))
    if not problems:
        return problems, statement
    blanks: dict[str, Any] = dict.fromkeys(labels)
    return problems, replace(statement, items=items, **blanks)


def _unusable_labels(statement: GivenStatement, today: date) -> list[str]:
    end, published = statement.period.end, statement.published_on
    year, quarter, currency = statement.fiscal_year, statement.fiscal_quarter, statement.currency
    possible = {
        "published_on": published is None or end <= published <= today,
        "currency": currency is None or _CURRENCY.fullmatch(currency) is not None,
        "fiscal_year": year is None or abs(year - end.year) <= 1,
        "fiscal_quarter": quarter is None or (statement.period.frequency == "quarterly" and 1 <= quarter <= 4),
    }
    return [name for name, usable in possible.items() if not usable]


def _problem(statement: GivenStatement, name: str, value: float) -> str | None:
    limits = _LIMITS[statement.period.statement].get(name)
    if limits is None:
        return f"is no item of {statement.period.statement}"
    low, high, otherwise = limits
    if low <= value <= high:
        return None
    return otherwise if math.isfinite(value) else "must be finite"


def _named(statement: GivenStatement) -> str:
    return f"{statement.period.frequency} {statement.period.statement}"


def _finding(statement: GivenStatement, provider: str, rule: Rule, detail: str) -> Finding:
    period = statement.period
    return Finding(period.symbol, period.end, rule, detail, provider, statement.file, statement.line)
