"""A company's statements as providers give them, completed with what follows from them, and told apart by digest."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from operator import add, sub
from typing import Final

from shared.conventions import REPORTING_LAG_DAYS

DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Period:
    """What a statement is about: the key under which its revisions follow one another."""

    symbol: str
    statement: str
    frequency: str
    end: date


@dataclass(frozen=True, slots=True)
class GivenStatement:
    """One statement of one period with the items that a provider gives, and where they stand in its file."""

    period: Period
    items: Mapping[str, float]
    published_on: date | None = None
    currency: str | None = None
    fiscal_year: int | None = None
    fiscal_quarter: int | None = None
    file: str | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CompletedStatement:
    """A statement with the items that follow from those given."""

    given: GivenStatement
    derived: Mapping[str, float]

    @property
    def items(self) -> dict[str, float]:
        """Every item that is known."""
        return {**self.given.items, **self.derived}

    @property
    def counts_from(self) -> date:
        """The first day that may use the statement: nobody knew it before it was published."""
        return self.given.published_on or self.given.period.end + timedelta(days=REPORTING_LAG_DAYS)

    @property
    def digest(self) -> bytes:
        """The same for the same content, whoever gave it and whenever."""
        said = (self.given.published_on, self.given.currency, self.given.fiscal_year, self.given.fiscal_quarter)
        content = repr((said, sorted(self.items.items()), sorted(self.derived)))
        return hashlib.blake2b(content.encode(), digest_size=DIGEST_BYTES).digest()


def _fraction(part: float, whole: float) -> float:
    # Of nothing, or of less than nothing, a part says nothing.
    return part / whole if whole > 0.0 else math.nan


@dataclass(frozen=True, slots=True)
class _Identity:
    # An item that follows from two others of the same period, each written "statement.item".
    item: str
    inputs: tuple[str, str]
    formula: Callable[[float, float], float]


# In this order: what follows from given items may serve the next one.
_IDENTITIES: Final = (
    _Identity("income.gross_profit", ("income.total_revenue", "income.cost_of_revenue"), sub),
    _Identity("income.gross_margin", ("income.gross_profit", "income.total_revenue"), _fraction),
    _Identity("income.operating_margin", ("income.operating_income", "income.total_revenue"), _fraction),
    _Identity("income.net_margin", ("income.net_income", "income.total_revenue"), _fraction),
    _Identity("income.ebitda", ("income.ebit", "income.depreciation_and_amortization"), add),
    # Many income statements leave it to the cash flow.
    _Identity("income.ebitda", ("income.ebit", "cash_flow.depreciation_and_amortization"), add),
    _Identity("balance.working_capital", ("balance.current_assets", "balance.current_liabilities"), sub),
    _Identity("balance.current_ratio", ("balance.current_assets", "balance.current_liabilities"), _fraction),
    _Identity("balance.total_debt", ("balance.short_term_debt", "balance.long_term_debt"), add),
    _Identity("balance.net_debt", ("balance.total_debt", "balance.cash_and_cash_equivalents"), sub),
    _Identity("balance.debt_to_equity", ("balance.total_debt", "balance.total_stockholders_equity"), _fraction),
    _Identity(
        "balance.book_value_per_share", ("balance.total_stockholders_equity", "income.basic_average_shares"), _fraction
    ),
    # Cash that leaves is negative.
    _Identity("cash_flow.free_cash_flow", ("cash_flow.operating_cash_flow", "cash_flow.capital_expenditures"), add),
    _Identity("cash_flow.fcf_margin", ("cash_flow.free_cash_flow", "income.total_revenue"), _fraction),
)


def complete_statements(given: Iterable[GivenStatement]) -> tuple[CompletedStatement, ...]:
    """Add to each statement the items that follow from those given for the same company, period and currency.

    An item that is given stays as it is; one whose inputs are not there, or of which it is a part of nothing or less
    (a margin without revenue, debt over negative equity), is left out. `book_value_per_share` is the equity at the end
    of the period over the average basic shares of the period: a balance sheet counts no shares.

    Parameters
    ----------
    given : iterable of GivenStatement
        At most one per period; items finite.

    Returns
    -------
    tuple of CompletedStatement
        In the order given. Derived items are finite.
    """
    statements = tuple(given)
    known: dict[object, dict[str, float]] = defaultdict(dict)
    for statement in statements:
        known[_reporting(statement)] |= {
            f"{statement.period.statement}.{name}": value for name, value in statement.items.items()
        }
    derived = {reporting: _derive(items) for reporting, items in known.items()}
    return tuple(CompletedStatement(each, _own(derived[_reporting(each)], each)) for each in statements)


def whole_companies(statements: Sequence[CompletedStatement], limit: int) -> Sequence[CompletedStatement]:
    """Return the first statements, at most `limit` of them but never a part of a company's, and at least one company's.

    Parameters
    ----------
    statements : sequence of CompletedStatement
        Those of one company next to each other.
    limit : int
    """
    symbols = [each.given.period.symbol for each in statements]
    if len(symbols) <= limit:
        return statements
    return statements[: symbols.index(symbols[limit]) or symbols.count(symbols[0])]


def _reporting(statement: GivenStatement) -> object:
    # The statements that tell of one company and time in one currency.
    return statement.period.symbol, statement.period.frequency, statement.period.end, statement.currency


def _derive(items: Mapping[str, float]) -> dict[str, float]:
    derived: dict[str, float] = {}
    for identity in _IDENTITIES:
        known = {**items, **derived}
        if identity.item in known or not known.keys() >= set(identity.inputs):
            continue
        value = identity.formula(*(known[name] for name in identity.inputs))
        if math.isfinite(value):
            derived[identity.item] = value
    return derived


def _own(derived: Mapping[str, float], statement: GivenStatement) -> dict[str, float]:
    prefix = f"{statement.period.statement}."
    return {name.removeprefix(prefix): value for name, value in derived.items() if name.startswith(prefix)}
