"""From a roll to rows: which snapshots are new or have changed, and their columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
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
    """Return the values of the positions of those snapshots, a row for each: arrays by position, amounts in cents."""
    values = rolled.valuation.positions
    portfolio = rolled.arrays.positions.portfolio
    rows, columns = np.nonzero(values.active & revisions.changed[:, portfolio])
    # Portfolio by portfolio within a session; the positions of each as they stand.
    order = np.lexsort((columns, portfolio[columns], rows))
    rows, columns = rows[order], columns[order]
    cells = (rows, columns)
    books = _runs(rows, portfolio[columns])
    first = [book.start for book in books]
    position = columns.tolist()
    table: dict[str, Any] = {
        "position_id": [rolled.arrays.position_ids[index] for index in position],
        "symbol": [rolled.positions[index].terms.symbol for index in position],
        "sector": [rolled.sectors[index] for index in position],
        "quantity": values.quantity[cells].tolist(),
        "mark": values.mark[cells].tolist(),
        "mark_source": [_SOURCES[source] for source in values.mark_source[cells].tolist()],
        "mark_age": values.mark_age[cells].tolist(),
        "oversold": values.oversold[cells].tolist(),
        "splits_known": values.splits_known[cells].tolist(),
        **{name: getattr(values, name)[cells].tolist() for name in _POSITION_AMOUNTS},
    }
    exposure = rolled.exposures[cells].tolist()
    unvalued = [rolled.unvalued.get(rolled.arrays.position_ids[index]) for index in position]
    of_some = {
        "value_reason": [why and why.reason.value for why in unvalued],
        "value_detail": [why and why.detail for why in unvalued],
    }
    options = _option_columns(rolled, rows, columns)
    return {
        "portfolio_id": [rolled.portfolio_ids[index] for index in portfolio[columns[first]].tolist()],
        "as_of": [rolled.sessions[row] for row in rows[first].tolist()],
        "revision": revisions.number[rows[first], portfolio[columns[first]]],
        **{name: [found[book] for book in books] for name, found in table.items()},
        # Null where no exposure differs from the value: in every book without options.
        "exposure": [None if exposure[book] == table["market_value"][book] else exposure[book] for book in books],
        **{name: _where_any(found, of_some["value_reason"], books) for name, found in of_some.items()},
        **{name: _where_any(found, options["underlying"], books) for name, found in options.items()},
    }


def _runs(rows: IntArray, owners: IntArray) -> list[slice]:
    """Return where the entries of each session and portfolio stand, which stand together."""
    begins = np.flatnonzero((np.diff(rows, prepend=-1) != 0) | (np.diff(owners, prepend=-1) != 0))
    return [slice(start, stop) for start, stop in pairwise([*begins.tolist(), rows.size])]


def _where_any(found: Sequence[Any], told: Sequence[Any], books: Sequence[slice]) -> list[Any]:
    """Return no array for a book of which this is told of no position."""
    return [found[book] if any(why is not None for why in told[book]) else None for book in books]


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
