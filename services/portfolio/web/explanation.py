"""How a stored amount came about: its inputs, and the same amount computed from them on the spot."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import BaseModel

from services.portfolio.core.cents import decimal_of
from services.portfolio.core.roll import Rolled
from services.portfolio.core.trades import Quotes
from services.portfolio.storage.rows import PORTFOLIO_AMOUNTS, PORTFOLIO_RATIOS
from services.portfolio.storage.snapshot_repository import PositionValueRow, SnapshotRow
from services.portfolio.web.views import Amount, PositionValueView, SnapshotView, realised_of
from shared.contracts.event import Measure
from shared.prices.last_prices import LastPrice
from shared.unavailable import Quantities

EXPLAINED: Final = (*PORTFOLIO_AMOUNTS, *PORTFOLIO_RATIOS)
# What each position adds to an amount of the portfolio.
_SUMMED: Final = {
    "pnl": "pnl",
    "net": "market_value",
    "exit_pnl": "exit_pnl",
    "realised_pnl": "realised_pnl",
    "dividends": "dividends",
}


class PositionInput(BaseModel):
    """A position as it was marked, the close and the corporate actions of the session, and its part in the amount.

    `split_inferred`: nobody gave the split, the adjusted closes show it.
    """

    value: PositionValueView
    close: float | None
    split: float
    split_inferred: bool
    dividend: float
    contribution: Amount | None


class Explanation(BaseModel):
    """A stored amount, what it was made from, and the amount that they make now.

    Equity is that of the close before plus the flow and the P&L of the session; cash is equity less net market value.
    `prices` are the last bars of the positions' symbols, and of what their options are written on.
    `inputs_unchanged` tells whether the digest of what is stored here now is that of the snapshot.
    """

    measure: str
    snapshot: SnapshotView
    stored: Measure
    recomputed: Measure
    inputs_unchanged: bool
    agrees: bool
    opening_equity: Amount
    opening_index: float | None
    positions: list[PositionInput]
    prices: list[LastPrice]


def priced_symbols(values: Sequence[PositionValueRow]) -> list[str]:
    """Return whose prices are behind position values: the positions' own, and what their options are written on."""
    return sorted({symbol for row in values for symbol in (row.symbol, row.underlying) if symbol is not None})


def explain(
    name: str, snapshot: SnapshotRow, values: Sequence[PositionValueRow], rolled: Rolled, *, prices: list[LastPrice]
) -> Explanation:
    """Return the explanation of an amount of the one portfolio and session that was rolled."""
    stored = _stored(name, snapshot)
    recomputed = _recomputed(name, rolled)
    index = rolled.opening.twr_index[0]
    return Explanation(
        measure=name,
        snapshot=SnapshotView.of(snapshot),
        stored=stored,
        recomputed=recomputed,
        inputs_unchanged=rolled.digests[0][0] == snapshot.digest,
        agrees=stored == recomputed,
        opening_equity=decimal_of(int(rolled.opening.equity[0])),
        opening_index=float(index) if np.isfinite(index) else None,
        positions=_positions(name, values, rolled),
        prices=prices,
    )


def _positions(name: str, values: Sequence[PositionValueRow], rolled: Rolled) -> list[PositionInput]:
    place = {position_id: number for number, position_id in enumerate(rolled.arrays.position_ids)}
    (quotes,) = rolled.market.quotes_of(rolled.arrays.positions)
    return [_position(name, row, quotes, place=place.get(row.position_id)) for row in values]


def _position(name: str, row: PositionValueRow, quotes: Quotes, *, place: int | None) -> PositionInput:
    close = float("nan") if place is None else float(quotes.close[place])
    summed = _SUMMED.get(name)
    return PositionInput(
        value=PositionValueView.of(row),
        close=close if np.isfinite(close) else None,
        split=1.0 if place is None else float(quotes.split[place]),
        split_inferred=row.as_of in row.inferred_splits,
        dividend=0.0 if place is None else float(quotes.dividend[place]),
        contribution=None if summed is None else getattr(row, summed),
    )


def _stored(name: str, snapshot: SnapshotRow) -> Measure:
    if name in PORTFOLIO_RATIOS:
        reason, detail = getattr(snapshot, f"{name}_reason"), getattr(snapshot, f"{name}_detail")
        return Measure(value=getattr(snapshot, name), reason=reason, detail=detail)
    if name == "realised_pnl":
        return realised_of(snapshot.realised_pnl, unknown=snapshot.unknown_gains)
    return Measure(value=float(getattr(snapshot, name)))


def _recomputed(name: str, rolled: Rolled) -> Measure:
    portfolios = rolled.valuation.portfolios
    if name == "realised_pnl":
        amount = decimal_of(int(portfolios.realised_pnl[0, 0]))
        return realised_of(amount, unknown=int(portfolios.unknown_gains[0, 0]))
    if name not in PORTFOLIO_RATIOS:
        return Measure(value=float(decimal_of(int(getattr(portfolios, name)[0, 0]))))
    quantities: Quantities = getattr(portfolios, name)
    return Measure.of(quantities.at((0, 0)))
