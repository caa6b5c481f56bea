"""The golden world: its books rolled by our code, and what the predecessor stored of them."""

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from services.portfolio.core.assembly import Known, Window, assemble, flows_by_session
from services.portfolio.core.cents import cents_of
from services.portfolio.core.inheritance import LastClose
from services.portfolio.core.positions import Exit, Flow, Position, PositionTerms, PositionType, multiplier
from services.portfolio.core.trades import Market
from services.portfolio.core.valuation import Opening, Valuation, roll_forward
from shared.arrays import FloatArray
from tests.support import golden

# The predecessor takes the first evening as it comes: its P&L is none, and the equity that of the close.
OPENING = date(2026, 10, 12)
DAYS = tuple(date(2026, 10, day) for day in (13, 14, 15, 16, 19, 20, 21, 22, 23))


def rows_of(name: str) -> list[dict[str, str]]:
    with (golden.WORLD / "inputs" / name).open(newline="") as file:
        return list(csv.DictReader(file))


@cache
def closes() -> pd.DataFrame:
    """Return the closes of the first evening and of the nine sessions, a column per symbol."""
    return golden.closes().reindex(pd.DatetimeIndex([OPENING, *DAYS]))


def records(table: pd.DataFrame) -> list[Any]:
    """Return the rows of a table, each with its columns as attributes."""
    return list(table.itertuples())


@dataclass(frozen=True)
class Golden:
    """Our roll of the six books over the nine sessions after the first evening."""

    positions: tuple[Position, ...]
    valued: Valuation
    holdings: Opening
    marks: FloatArray  # (n_sessions + 1, n_positions), the first row of the opening
    snapshots: pd.DataFrame

    def theirs(self, portfolio: int, column: str) -> FloatArray:
        """Return a column of their snapshots of the nine sessions."""
        book = UUID(rows_of("portfolios.csv")[portfolio]["portfolio_id"])
        mine = self.snapshots[self.snapshots["portfolio_id"] == str(book)].set_index("snapshot_date")
        values: FloatArray = mine.loc[[str(day) for day in DAYS], column].to_numpy(dtype=np.float64)
        return values

    def ours(self, portfolio: int, field: str) -> FloatArray:
        """Return an amount of ours in dollars, or a count."""
        amounts: FloatArray = getattr(self.valued.portfolios, field)[:, portfolio].astype(np.float64)
        return amounts if field.endswith("positions") else amounts / 100

    def positions_of(self, portfolio: int) -> list[int]:
        """Return the places of the positions of a book."""
        book = UUID(rows_of("portfolios.csv")[portfolio]["portfolio_id"])
        return [place for place, position in enumerate(self.positions) if position.portfolio_id == book]

    def place_of(self, position_id: str) -> int:
        """Return the place of a position."""
        return [str(position.position_id) for position in self.positions].index(position_id)

    def units(self) -> FloatArray:
        """Return quantity times multiplier at each close, the opening first, (n_sessions + 1, n_positions)."""
        quantity = np.vstack([self.holdings.holdings.quantity, self.valued.positions.quantity])
        units: FloatArray = quantity * [float(multiplier(entry.terms.kind)) for entry in self.positions]
        return units


def positions_of_the_world() -> tuple[Position, ...]:
    exits = {
        row["position_id"]: (Exit(date.fromisoformat(row["date"]), Decimal(row["price"]), Decimal(row["quantity"])),)
        for row in rows_of("events.csv")
        if row["kind"] == "close"
    }
    return tuple(
        Position(
            UUID(row["position_id"]),
            UUID(row["portfolio_id"]),
            PositionTerms(
                row["symbol"],
                PositionType.PRIVATE if row["investment_class"] == "PRIVATE" else PositionType(row["position_type"]),
                Decimal(row["quantity"]),
                date.fromisoformat(row["entry_date"]),
                Decimal(row["entry_price"]),
                exits.get(row["position_id"], ()),
            ),
        )
        for row in rows_of("positions.csv")
    )


def flows_of_the_world() -> list[Flow]:
    return [
        Flow(
            UUID(row["portfolio_id"]),
            date.fromisoformat(row["date"]),
            Decimal(row["amount"]) * (-1 if row["kind"] == "withdrawal" else 1),
        )
        for row in rows_of("events.csv")
        if row["kind"] != "close"
    ]


def golden_world(*, less_equity: str = "0") -> Golden:
    """Value the world, every book with so much less equity at the start."""
    books = rows_of("portfolios.csv")
    portfolios = {UUID(row["portfolio_id"]): index for index, row in enumerate(books)}
    equity = np.array([cents_of(Decimal(row["equity_balance"]) - Decimal(less_equity)) for row in books])
    table = closes()
    prices = table.to_numpy(dtype=np.float64)
    columns = {str(symbol): column for column, symbol in enumerate(table.columns)}
    last = {symbol: LastClose(float(price)) for symbol, price in zip(columns, prices[0], strict=True) if price > 0}
    market = Market(prices[1:].copy(), np.ones_like(prices[1:]), np.zeros_like(prices[1:]))
    window, positions = Window(OPENING, DAYS), positions_of_the_world()
    arrays = assemble(positions, window, portfolios=portfolios, columns=columns, known=Known({}, last))
    opening = Opening(equity, np.ones(equity.size), arrays.holdings)
    flows = flows_by_session(flows_of_the_world(), window, portfolios=portfolios)
    valued = roll_forward(arrays.positions, market, exits=arrays.exits, flows=flows, opening=opening)
    marks = np.vstack([arrays.holdings.mark, valued.positions.mark])
    return Golden(positions, valued, opening, marks, golden.output("portfolio_snapshots"))
