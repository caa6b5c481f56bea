"""The predecessor's synthetic world: its books as it valued them, and what it stored of their risk."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd

from services.risk.core.exposures import FactorExposures, factor_exposures
from services.risk.core.holdings import NetHoldings
from shared.arrays import ReasonArray
from shared.conventions import FACTORS
from shared.sectors import sector_name
from shared.unavailable import Quantities, Reason, Unavailable
from tests.support.golden import WORLD, closes, output

DAYS: Final = tuple(f"2026-10-{day}" for day in (12, 13, 14, 15, 16, 19, 20, 21, 22, 23))
LONG_ONLY, LONG_SHORT, NET_SHORT, OPTIONS, PRIVATES, TRADING = (
    "P1 long only",
    "P2 130/30",
    "P3 net short",
    "P4 options",
    "P5 privates and etfs",
    "P6 trading",
)
PORTFOLIOS: Final = (LONG_ONLY, LONG_SHORT, NET_SHORT, OPTIONS, PRIVATES, TRADING)
NAMES: Final = {
    "value": "Value",
    "growth": "Growth",
    "momentum": "Momentum",
    "quality": "Quality",
    "size": "Size",
    "low_volatility": "Low Volatility",
    "growth_value_spread": "Growth-Value Spread",
    "momentum_spread": "Momentum Spread",
    "size_spread": "Size Spread",
    "quality_spread": "Quality Spread",
    "market_beta": "Market Beta (90D)",
    "rate_beta": "IR Beta",
    "provider_beta": "Provider Beta (1Y)",
}
PROXIES: Final = ("SPY", "VTV", "VUG", "MTUM", "QUAL", "IWM", "USMV", "TLT")
NO_BETA: Final = Unavailable(Reason.MISSING_DATA, "no beta")


@cache
def returns_until(day: str, *, calendar_days: int) -> pd.DataFrame:
    """Return simple returns between the closes of so many calendar days."""
    first = pd.Timestamp(day) - pd.Timedelta(days=calendar_days)
    return closes().loc[first:day].pct_change(fill_method=None).iloc[1:]


@cache
def positions() -> pd.DataFrame:
    """Return the positions on each evening with the value that the predecessor gives them: of entry where unpriced."""
    terms = pd.read_csv(WORLD / "inputs" / "positions.csv").set_index("position_id")
    held = output("positions_state").join(terms[["investment_class", "underlying_symbol"]], on="position_id")
    contract = np.where(held["investment_class"] == "OPTIONS", 100, 1)
    at_entry = held["quantity"] * held["entry_price"] * contract
    held["value"] = held["market_value"].fillna(at_entry)
    return held


@cache
def betas_of(day: str) -> pd.DataFrame:
    stored = output("symbol_factor_exposures")
    table = stored[stored["date"] == day].pivot_table(index="symbol", columns="factor", values="beta_value")
    return table.rename(columns={theirs: ours for ours, theirs in NAMES.items()})[list(FACTORS)]


@cache
def sectors() -> dict[str, str]:
    profiles = pd.read_csv(WORLD / "inputs" / "profiles.csv").set_index("symbol")
    named = profiles["sector"].fillna("")
    return {str(symbol): sector_name(named[symbol], is_etf=profiles["is_etf"][symbol]) for symbol in profiles.index}


@cache
def snapshot(portfolio: str, day: str) -> "pd.Series[Any]":
    rows = output("portfolio_snapshots")
    found = rows[(rows["portfolio"] == portfolio) & (rows["snapshot_date"] == day)]
    return found.iloc[0]


def evenings() -> Iterator[tuple[str, str]]:
    return ((portfolio, day) for portfolio in PORTFOLIOS for day in DAYS)


@dataclass(frozen=True)
class Held:
    """The open positions of a portfolio on an evening."""

    rows: pd.DataFrame
    equity: float

    @classmethod
    @cache
    def at(cls, portfolio: str, day: str) -> "Held":
        rows = positions()
        mine = rows[(rows["portfolio"] == portfolio) & (rows["date"] == day) & (rows["quantity"] != 0)]
        return cls(mine, float(snapshot(portfolio, day)["equity_balance"]))

    def of_class(self, *classes: str) -> "Held":
        return Held(self.rows[self.rows["investment_class"].isin(classes)], self.equity)

    @property
    def names(self) -> list[str]:
        return sorted(set(self.rows["symbol"]))

    def holdings(self, *, equity: float | None = None) -> NetHoldings:
        """Return the books over their equity or another amount."""
        cents = np.rint(self.rows["value"].to_numpy() * 100).astype(np.int64)
        symbol = np.array([self.names.index(name) for name in self.rows["symbol"]], dtype=np.int64)
        capital = np.array([round((self.equity if equity is None else equity) * 100)])
        return NetHoldings.of(np.zeros_like(symbol), symbol, exposure=cents, equity=capital, names=self.names)

    def betas(self, day: str) -> Quantities:
        values = betas_of(day).reindex(self.names).to_numpy(dtype=np.float64, copy=True)
        reasons: ReasonArray = np.full(values.shape, None, dtype=object)
        reasons[np.isnan(values)] = NO_BETA
        return Quantities(values, reasons)

    def exposures(self, day: str) -> FactorExposures:
        return factor_exposures(self.holdings(), self.betas(day))


@cache
def exposure_rows() -> dict[tuple[str, str, str], dict[Any, Any]]:
    rows = output("factor_exposures").to_dict("records")
    return {(row["portfolio"], row["date"], row["factor"]): row for row in rows}


def stored_exposure(portfolio: str, day: str, factor: str, column: str = "exposure_value") -> float:
    return float(exposure_rows()[portfolio, day, NAMES[factor]][column])


def rounding_of(held: Held) -> float:
    """Return by how much exposures of betas with six decimals may differ in their own sixth."""
    gross = float(held.rows["value"].abs().sum())
    return 0.5e-6 * (1 + gross / held.equity)
