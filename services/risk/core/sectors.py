"""Sector exposure of portfolios, net and gross."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.risk.core.books import Books
from services.risk.core.ratios import over_equity
from shared.unavailable import IntArray, Quantities


@dataclass(frozen=True, slots=True)
class SectorExposures:
    """Per portfolio and sector, columns in the order of `names`.

    `net_cents` and `gross_cents` (int64) add up over the sectors to the book's net and gross exactly; `net` and `gross`
    are the same over equity.
    """

    names: tuple[str, ...]
    net_cents: IntArray
    gross_cents: IntArray
    net: Quantities
    gross: Quantities


def sector_exposures(books: Books, sectors: Sequence[str]) -> SectorExposures:
    """Return signed and gross exposure by sector, over equity.

    Parameters
    ----------
    books : Books
        Holdings in cents.
    sectors : sequence of str
        Sector of each symbol as `sector_name` gives it.

    Returns
    -------
    SectorExposures
        Sectors that any portfolio of the shard holds, sorted; 0 where a portfolio holds none of it.
        `DEGENERATE_INPUT` when equity is not positive.
    """
    names = tuple(sorted({sectors[symbol] for symbol in np.unique(books.symbol)}))
    column = {name: index for index, name in enumerate(names)}
    held = np.array([column.get(name, -1) for name in sectors], dtype=np.int64)[books.symbol]
    net = np.zeros((books.n_portfolios, len(names)), dtype=np.int64)
    gross = np.zeros_like(net)
    np.add.at(net, (books.portfolio, held), books.net)
    np.add.at(gross, (books.portfolio, held), books.gross)
    return SectorExposures(names, net, gross, _over_equity(books, net), _over_equity(books, gross))


def _over_equity(books: Books, cents: IntArray) -> Quantities:
    columns = [over_equity(books, column.astype(np.float64)) for column in cents.T]
    if not columns:
        return Quantities.available(np.empty(cents.shape))
    return Quantities(
        np.column_stack([column.values for column in columns]),
        np.column_stack([column.unavailable for column in columns]),
    )
