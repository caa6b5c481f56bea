"""How a stored amount came about: its inputs, and the same amount computed from them on the spot."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
from pydantic import BaseModel

from services.portfolio.core.cents import decimal_of
from services.portfolio.core.roll import Rolled
from services.portfolio.storage.rows import PORTFOLIO_AMOUNTS
from services.portfolio.web.views import PositionValueView, SnapshotView
from shared.contracts.event import Measure
from shared.prices.last_prices import LastPrice
from shared.unavailable import Quantities

_FIELDS: Final = {column: field for field, column in PORTFOLIO_AMOUNTS.items()}
_RATIOS: Final = {"daily_return": "daily_return", "twr_index": "twr"}
EXPLAINED: Final = (*_FIELDS, *_RATIOS)
# What each position adds to an amount of the portfolio.
_SUMMED: Final = {
    "pnl": "pnl",
    "net": "market_value",
    "exit_pnl": "exit_pnl",
    "realised_pnl": "realised_pnl",
    "dividends": "dividends",
}


class PositionInput(BaseModel):
    """A position as it was marked, the close and the corporate actions of the session, and its part in the amount."""

    value: PositionValueView
    close: float | None
    split: float
    dividend: float
    contribution: Decimal | None


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
    opening_equity: Decimal
    opening_index: float | None
    positions: list[PositionInput]
    prices: list[LastPrice]


def priced_symbols(values: Sequence[Any]) -> list[str]:
    """Return whose prices are behind position values: the positions' own, and what their options are written on."""
    return sorted({symbol for row in values for symbol in (row.symbol, row.underlying) if symbol is not None})


def explain(name: str, snapshot: Any, values: list[Any], rolled: Rolled, *, prices: list[LastPrice]) -> Explanation:
    """Return the explanation of an amount of the one portfolio and session that was rolled."""
    stored = _stored(name, snapshot)
    recomputed = _recomputed(name, rolled)
    index = rolled.opening.twr[0]
    return Explanation(
        measure=name,
        snapshot=SnapshotView.of(snapshot),
        stored=stored,
        recomputed=recomputed,
        inputs_unchanged=rolled.digests[0][0] == snapshot.digest,
        agrees=stored == recomputed,
        opening_equity=decimal_of(int(rolled.opening.equity[0])),
        opening_index=float(index) if np.isfinite(index) else None,
        positions=[_position(name, row, rolled) for row in values],
        prices=prices,
    )


def _position(name: str, row: Any, rolled: Rolled) -> PositionInput:
    lot = _lots(rolled).get(row.position_id)
    quotes = rolled.market.quotes_of(rolled.book.lots)[0]
    close = float("nan") if lot is None else float(quotes.close[lot])
    summed = _SUMMED.get(name)
    return PositionInput(
        value=PositionValueView.of(row),
        close=close if np.isfinite(close) else None,
        split=1.0 if lot is None else float(quotes.split[lot]),
        dividend=0.0 if lot is None else float(quotes.dividend[lot]),
        contribution=None if summed is None else getattr(row, summed),
    )


def _lots(rolled: Rolled) -> dict[UUID, int]:
    return {position_id: lot for lot, position_id in enumerate(rolled.book.position_ids)}


def _stored(name: str, snapshot: Any) -> Measure:
    if name in _RATIOS:
        reason, detail = getattr(snapshot, f"{name}_reason"), getattr(snapshot, f"{name}_detail")
        return Measure(value=getattr(snapshot, name), reason=reason, detail=detail)
    return Measure(value=float(getattr(snapshot, name)))


def _recomputed(name: str, rolled: Rolled) -> Measure:
    portfolios = rolled.valuation.portfolios
    if name not in _RATIOS:
        return Measure(value=float(decimal_of(int(getattr(portfolios, _FIELDS[name])[0, 0]))))
    quantities: Quantities = getattr(portfolios, _RATIOS[name])
    return Measure.of(quantities.at((0, 0)))
