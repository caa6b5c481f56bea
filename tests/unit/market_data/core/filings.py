"""Statements for tests of the core."""

from datetime import date
from typing import Any

from services.market_data.core.statements import CompletedStatement, GivenStatement, Period, complete_statements

QUARTER = date(2023, 12, 31)


def given(statement: str = "income", **about: Any) -> GivenStatement:
    """Return a statement with these items; `symbol`, `frequency` and `end` are those of the period."""
    symbol, frequency = about.pop("symbol", "ACME"), about.pop("frequency", "quarterly")
    period = Period(symbol, statement, frequency, about.pop("end", QUARTER))
    return GivenStatement(period, about, currency="USD")


def completed(*statements: GivenStatement) -> list[CompletedStatement]:
    return list(complete_statements(statements))
