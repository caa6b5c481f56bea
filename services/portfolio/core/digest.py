"""A digest of everything a snapshot was computed from: same digest, same snapshot, nothing to write."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final

import numpy as np

from services.portfolio.core.assembly import ShardArrays
from services.portfolio.core.trades import Market, Quotes
from services.portfolio.core.valuation import Opening, Valuation
from shared.arrays import FloatArray
from shared.digests import canonical

# Raised with every change that changes a number: results of another version are other results.
CODE_VERSION: Final = 12

# What a position is at a close: the order is part of the digest.
_STATE: Final = ("quantity", "mark", "mark_source", "mark_age", "market_value", "cost", "splits_known")
_METHOD: Final = f"valuation {CODE_VERSION}".encode()


def snapshot_digests(
    arrays: ShardArrays,
    market: Market,
    *,
    opening: Opening,
    valuation: Valuation,
    labels: Sequence[str],
    exposed: FloatArray,
) -> list[list[str]]:
    """Return the digests of a roll's snapshots.

    A digest covers equity and index at the previous close, the session's flows, and of each position held or entered
    its id and label, state at the previous close, entry, close, split and dividend of the session, what its exits did,
    its exposure and the rate that an option is valued at. It depends neither on the order of the positions nor on the
    other portfolios of the shard.

    Parameters
    ----------
    arrays, market, opening, valuation
        The roll.
    labels : sequence of str
        What is stored with each position beside numbers.
    exposed : ndarray of shape (n_sessions, n_positions, n_columns)
        Exposures in cents, and what else they come of.

    Returns
    -------
    list of list of str
        One list of n_portfolios hexadecimal strings a session.
    """
    n_portfolios = opening.equity.size
    ids = np.frombuffer(b"".join(position_id.bytes for position_id in arrays.position_ids), dtype=">u8").reshape(-1, 2)
    order = np.lexsort((ids[:, 1], ids[:, 0], arrays.positions.portfolio))
    portfolio = arrays.positions.portfolio[order]
    marks = np.array([sha256(label.encode()).digest()[:8] for label in labels], dtype="S8")[order]
    quotes = market.quotes_of(arrays.positions)
    digests = []
    for session in range(market.n_sessions):
        known = _rows(arrays, quotes[session], valuation=valuation, session=session)
        rows = canonical(np.column_stack([known, exposed[session]]))[order]
        active = valuation.positions.active[session, order]
        bounds = np.searchsorted(portfolio[active], np.arange(n_portfolios + 1))
        names, tags, numbers = ids[order][active], marks[active], rows[active]
        heads = _heads(opening, valuation, session=session)
        digests.append(
            [
                sha256(
                    _METHOD
                    + heads[index].tobytes()
                    + names[first:last].tobytes()
                    + tags[first:last].tobytes()
                    + numbers[first:last].tobytes()
                ).hexdigest()
                for index, (first, last) in enumerate(pairwise(bounds))
            ]
        )
    return digests


def _heads(opening: Opening, valuation: Valuation, *, session: int) -> FloatArray:
    """Return equity and index at the previous close and both flows of the session, (n_portfolios, 4)."""
    portfolios = valuation.portfolios
    equity = portfolios.equity[session - 1] if session else opening.equity
    index = portfolios.twr_index.values[session - 1] if session else opening.twr_index
    flows = portfolios.contributions[session], portfolios.withdrawals[session]
    return canonical(np.column_stack([equity, index, *flows]))


def _rows(arrays: ShardArrays, quotes: Quotes, *, valuation: Valuation, session: int) -> FloatArray:
    """Return the inputs of each position in the session, (n_positions, n_inputs)."""
    days = valuation.positions
    before = [getattr(days, name)[session - 1] if session else getattr(arrays.holdings, name) for name in _STATE]
    entered = arrays.positions.entry_session == session
    columns = [
        *before,
        np.where(entered, arrays.positions.entry_quantity, 0.0),
        np.where(entered, arrays.positions.entry_price, 0.0),
        quotes.close,
        quotes.split,
        quotes.dividend,
        days.quantity[session],
        days.realised_pnl[session],
    ]
    return np.column_stack(columns)
