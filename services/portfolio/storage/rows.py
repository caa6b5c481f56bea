"""From a roll to rows: which snapshots are new or have changed, and their columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.portfolio.core.cents import decimal_of
from services.portfolio.core.digest import CODE_VERSION
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.roll import Rolled
from services.portfolio.storage.snapshot_repository import Key
from shared.arrays import BoolArray, FloatArray, IntArray
from shared.contracts.portfolio import PortfolioDue
from shared.db.bulk import Columns
from shared.unavailable import Quantities, no_reasons, nullable, reason_columns

# Fields of the core and columns of the tables have the same names.
PORTFOLIO_AMOUNTS: Final = (
    "equity",
    "pnl",
    "flow",
    "contributions",
    "withdrawals",
    "cash",
    "long_value",
    "short_value",
    "gross",
    "net",
    "exit_pnl",
    "realised_pnl",
    "dividends",
    "stale_gross",
)
PORTFOLIO_RATIOS: Final = ("daily_return", "twr_index")
_PORTFOLIO_COUNTS: Final = (
    "positions",
    "long_positions",
    "short_positions",
    "stale_positions",
    "at_cost_positions",
    "unvalued_positions",
    "oldest_mark",
    "unknown_gains",
)
_POSITION_AMOUNTS: Final = ("market_value", "cost", "pnl", "exit_pnl", "realised_pnl", "dividends")
_SOURCES = {int(source): source.name for source in MarkSource}


@dataclass(frozen=True, slots=True)
class Revisions:
    """Per snapshot of a roll, shape (n_sessions, n_portfolios): its revision, and whether it has to be written."""

    number: IntArray
    changed: BoolArray


def revisions_of(rolled: Rolled, stored: Mapping[Key, tuple[int, str]]) -> Revisions:
    """Compare the digests of a roll with those that are stored."""
    shape = (len(rolled.sessions), len(rolled.portfolio_ids))
    number, changed = np.ones(shape, dtype=np.int64), np.ones(shape, dtype=bool)
    for row, session in enumerate(rolled.sessions):
        for column, portfolio_id in enumerate(rolled.portfolio_ids):
            known = stored.get((portfolio_id, session))
            if known is not None:
                changed[row, column] = known[1] != rolled.digests[row][column]
                number[row, column] = known[0] + int(changed[row, column])
    return Revisions(number, changed)


def snapshot_columns(rolled: Rolled, revisions: Revisions, event: PortfolioDue) -> Columns:
    """Return the snapshots that have to be written for a shard, as columns of the table."""
    rows, columns = np.nonzero(revisions.changed)
    cells = (rows, columns)
    portfolios = rolled.valuation.portfolios
    table: dict[str, Any] = {
        "portfolio_id": [rolled.portfolio_ids[column] for column in columns.tolist()],
        "as_of": [rolled.sessions[row] for row in rows.tolist()],
        "revision": revisions.number[cells],
        "digest": [rolled.digests[row][column] for row, column in zip(rows.tolist(), columns.tolist(), strict=True)],
        "run_id": [event.run.run_id] * len(rows),
        "code_version": [CODE_VERSION] * len(rows),
        "prices_seen_below": [event.prices_seen_below] * len(rows),
    }
    table |= {name: _decimals(getattr(portfolios, name)[cells]) for name in PORTFOLIO_AMOUNTS}
    table |= {name: getattr(portfolios, name)[cells] for name in _PORTFOLIO_COUNTS}
    for name in PORTFOLIO_RATIOS:
        found: Quantities = getattr(portfolios, name)
        table |= _quantities(name, found.part(cells))
    return table


def value_columns(rolled: Rolled, revisions: Revisions) -> Columns:
    """Return the position values of those snapshots, as columns of the table."""
    values = rolled.valuation.positions
    portfolio = rolled.arrays.positions.portfolio
    rows, columns = np.nonzero(values.active & revisions.changed[:, portfolio])
    cells = (rows, columns)
    owner = portfolio[columns]
    position = columns.tolist()
    unvalued = [rolled.unvalued.get(rolled.arrays.position_ids[index]) for index in position]
    table: dict[str, Any] = {
        "portfolio_id": [rolled.portfolio_ids[index] for index in owner.tolist()],
        "as_of": [rolled.sessions[row] for row in rows.tolist()],
        "revision": revisions.number[rows, owner],
        "position_id": [rolled.arrays.position_ids[index] for index in position],
        "symbol": [rolled.positions[index].terms.symbol for index in position],
        "sector": [rolled.sectors[index] for index in position],
        "quantity": values.quantity[cells],
        "mark": values.mark[cells],
        "mark_source": [_SOURCES[source] for source in values.mark_source[cells].tolist()],
        "mark_age": values.mark_age[cells],
        "oversold": values.oversold[cells],
        "splits_known": values.splits_known[cells],
        "value_reason": [why and why.reason.value for why in unvalued],
        "value_detail": [why and why.detail for why in unvalued],
        "exposure": _decimals(rolled.exposures[cells]),
        **_option_columns(rolled, rows, columns),
    }
    return table | {name: _decimals(getattr(values, name)[cells]) for name in _POSITION_AMOUNTS}


def _option_columns(rolled: Rolled, rows: IntArray, columns: IntArray) -> dict[str, list[Any]]:
    """Return what is said of options only: underlying, greeks or why there are none, and the volatility behind them."""
    options = rolled.options
    option_of = np.full(len(rolled.positions), -1, dtype=np.int64)
    option_of[options.contracts.position] = np.arange(options.contracts.position.size)
    entries = np.flatnonzero(option_of[columns] >= 0)
    cells = rows[entries], option_of[columns[entries]]
    known = options.delta.available

    def spread(values: FloatArray) -> FloatArray:
        """Return values of the options at the places of their rows, NaN elsewhere."""
        wide = np.full(rows.size, np.nan)
        wide[entries] = values[cells]
        return wide

    def told(found: Quantities) -> Quantities:
        reasons = no_reasons(rows.size)
        reasons[entries] = found.unavailable[cells]
        return Quantities(spread(found.values), reasons)

    greeks = {name: getattr(options.greeks, name) for name in ("gamma", "vega", "theta", "rho")}
    contracts = [rolled.positions[position].terms.option for position in columns.tolist()]
    return {
        "underlying": [None if contract is None else contract.underlying for contract in contracts],
        "volatility": nullable(spread(np.where(known, options.volatility, np.nan))),
        **_quantities("implied_volatility", told(options.implied)),
        **_quantities("delta", told(options.delta)),
        **{name: nullable(spread(np.where(known, values, np.nan))) for name, values in greeks.items()},
    }


def _decimals(cents: IntArray) -> list[Any]:
    return [decimal_of(amount) for amount in cents.tolist()]


def _quantities(name: str, found: Quantities) -> dict[str, list[Any]]:
    reasons, details = reason_columns(found.unavailable)
    return {name: nullable(found.values), f"{name}_reason": reasons, f"{name}_detail": details}
