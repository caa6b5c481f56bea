"""A made-up universe on real sessions: symbols with factor structure, as the files that the `files` provider reads."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from shared.arrays import FloatArray
from shared.calendar import sessions_between
from shared.factor_set import FactorSet

SECTORS = ("Technology", "Healthcare", "Financials", "Energy", "Industrials", "Utilities", "Materials", "Real Estate")
LAST_SESSION = date(2026, 6, 30)


@dataclass(frozen=True, slots=True)
class Universe:
    """Prices of `symbols` on `sessions`; the proxies come first."""

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    close: FloatArray

    @property
    def stocks(self) -> tuple[str, ...]:
        """The symbols that are no proxies."""
        return tuple(symbol for symbol in self.symbols if symbol.startswith("Z"))


def make_universe(stocks: int, sessions: int, *, seed: int = 7) -> Universe:
    """Return random prices: proxies move with a common market, stocks load on the proxies."""
    generator = np.random.default_rng(seed)
    days = tuple(sessions_between(date(2024, 1, 2), LAST_SESSION)[-sessions:])
    proxies = FactorSet().tickers()
    market = generator.normal(0.0004, 0.009, (sessions, 1))
    proxy_returns = market + generator.normal(0.0, 0.004, (sessions, len(proxies)))
    loadings = generator.normal(0.15, 0.2, (len(proxies), stocks))
    returns = proxy_returns @ loadings + generator.normal(0.0, 0.012, (sessions, stocks))
    every = np.clip(np.concatenate([proxy_returns, returns], axis=1), -0.5, 1.0)
    close = np.round(generator.uniform(20.0, 400.0, every.shape[1]) * np.cumprod(1.0 + every, axis=0), 4)
    return Universe(days, (*proxies, *(f"Z{number:05d}" for number in range(stocks))), np.maximum(close, 0.01))


def write_files(universe: Universe, directory: Path) -> None:
    """Write ``prices.parquet`` and ``profiles.csv``."""
    directory.mkdir(parents=True, exist_ok=True)
    count = len(universe.sessions)
    prices = pd.DataFrame(
        {
            "symbol": np.repeat(universe.symbols, count),
            "date": list(universe.sessions) * len(universe.symbols),
            "close": universe.close.T.ravel(),
        }
    )
    prices.to_parquet(directory / "prices.parquet", index=False)
    profiles = pd.DataFrame({"symbol": universe.stocks, "name": universe.stocks})
    profiles["sector"] = [SECTORS[number % len(SECTORS)] for number in range(len(profiles))]
    profiles["beta"] = 1.0
    profiles["beta_as_of"] = universe.sessions[0].isoformat()
    profiles.to_csv(directory / "profiles.csv", index=False)
