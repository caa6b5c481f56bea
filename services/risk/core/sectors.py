"""Sector exposure of portfolios, net and gross."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import NO_CAPITAL, over_equity
from shared.arrays import FloatArray, IntArray, ReasonArray
from shared.sectors import ETFS, UNCLASSIFIED
from shared.unavailable import Quantities, Reason, Unavailable, is_available, no_reasons

# What positions are reported under that no index has a weight of.
NO_SECTORS: Final = frozenset({ETFS, UNCLASSIFIED})
NO_BENCHMARK: Final = Unavailable(Reason.NOT_APPLICABLE, "no benchmark is loaded")


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


def sector_exposures(holdings: NetHoldings, sectors: Sequence[str]) -> SectorExposures:
    """Return signed and gross exposure by sector, over equity.

    Parameters
    ----------
    holdings : NetHoldings
        Holdings in cents.
    sectors : sequence of str
        Sector of each symbol as `sector_name` gives it.

    Returns
    -------
    SectorExposures
        Sectors that any portfolio of the shard holds, sorted; 0 where a portfolio holds none of it.
        `DEGENERATE_INPUT` when equity is not positive.
    """
    names = tuple(sorted({sectors[symbol] for symbol in np.unique(holdings.symbol)}))
    column = {name: index for index, name in enumerate(names)}
    held = np.array([column.get(name, -1) for name in sectors], dtype=np.int64)[holdings.symbol]
    net = np.zeros((holdings.n_portfolios, len(names)), dtype=np.int64)
    gross = np.zeros_like(net)
    np.add.at(net, (holdings.portfolio, held), holdings.net)
    np.add.at(gross, (holdings.portfolio, held), holdings.gross)
    return SectorExposures(names, net, gross, _over_equity(holdings, net), _over_equity(holdings, gross))


def _over_equity(holdings: NetHoldings, cents: IntArray) -> Quantities:
    columns = [over_equity(holdings, column.astype(np.float64)) for column in cents.T]
    if not columns:
        return Quantities.of(np.empty(cents.shape))
    return Quantities.side_by_side(columns)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The sector weights of an index as of a day; they add up to one."""

    name: str
    as_of: date
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ActiveSectors:
    """Sector weights against a benchmark, columns in the order of `names`.

    `weights` (n_sectors,) are the benchmark's, NaN for what is no sector of an index; `active` (n_portfolios,
    n_sectors) is net exposure over equity less the benchmark's weight, NaN in the same places and where
    `unavailable` (n_portfolios,) has a reason.
    """

    names: tuple[str, ...]
    weights: FloatArray
    active: FloatArray
    unavailable: ReasonArray


def active_sectors(holdings: NetHoldings, exposures: SectorExposures, benchmark: Benchmark | None) -> ActiveSectors:
    """Return how far each portfolio's sectors are from a benchmark's.

    Parameters
    ----------
    holdings : NetHoldings
        For their number and capital.
    exposures : SectorExposures
        Of the same portfolios.
    benchmark : Benchmark or None
        None: no benchmark is loaded.

    Returns
    -------
    ActiveSectors
        Sectors of the benchmark and those that any portfolio of the shard holds; funds and what is unclassified have
        no weight to compare with. `NOT_APPLICABLE` without a benchmark, `DEGENERATE_INPUT` without capital.
    """
    reasons = no_reasons(holdings.n_portfolios)
    if benchmark is None:
        reasons[:] = NO_BENCHMARK
        return ActiveSectors((), np.empty(0), np.empty((holdings.n_portfolios, 0)), reasons)
    reasons[holdings.equity <= 0] = NO_CAPITAL
    names = tuple(sorted({*exposures.names, *benchmark.weights}))
    weights = np.array([np.nan if name in NO_SECTORS else benchmark.weights.get(name, 0.0) for name in names])
    held = np.zeros((holdings.n_portfolios, len(names)))
    for column, name in enumerate(exposures.names):
        held[:, names.index(name)] = exposures.net.values[:, column]
    held[~is_available(reasons)] = np.nan
    return ActiveSectors(names, weights, held - weights, reasons)
