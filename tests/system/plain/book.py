"""What a portfolio holds at a close, and what is known of it: all that its risk is computed from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from tests.system.plain.known import DEGENERATE, MISSING, NOT_APPLICABLE, Number
from tests.system.plain.ledger import Day
from tests.system.plain.loadings import NOBODY, Loaded
from tests.system.plain.options import Revalued
from tests.system.plain.prices import Prices
from tests.system.plain.symbols import FACTORS, STYLES, Proxies

RISK_FACTORS = ("market", *STYLES, "rate")
SEEN = 504  # returns behind an assessment: a year that is tested, and the year before each of its sessions

Betas = Mapping[str, Mapping[str, Number]]


@dataclass(frozen=True)
class Book:
    """Holdings in currency, by symbol; `net` and `gross` over all positions in it. `returns` has a column a symbol."""

    equity: float
    net: dict[str, float]
    gross: dict[str, float]
    betas: Betas
    loadings: Mapping[str, Loaded]
    sectors: Mapping[str, str]
    returns: pd.DataFrame
    options: list[Revalued]

    def beside_deltas(self, moves: Mapping[str, float], *, times: float = 1.0) -> float:
        """What its options on these underlyings earn beside the shares of their deltas."""
        return sum(
            option.beside_delta(moves[option.underlying], times=times)
            for option in self.options
            if option.underlying in moves
        )

    @property
    def symbols(self) -> list[str]:
        return list(self.net)

    @property
    def total_gross(self) -> float:
        return sum(self.gross.values())

    @property
    def why_nothing(self) -> str | None:
        """Why nothing relative to equity can be said."""
        if self.equity <= 0:
            return DEGENERATE
        return None if self.total_gross > 0 else NOT_APPLICABLE

    def weight(self, symbol: str) -> float:
        return self.net[symbol] / self.equity

    def coverage(self, covered: Iterable[str]) -> Number:
        """The part of gross exposure that these symbols have."""
        if not self.total_gross:
            return NOT_APPLICABLE
        return sum(self.gross[symbol] for symbol in covered) / self.total_gross


def book_of(
    day: Day, prices: Prices, *, betas: Betas, loadings: Mapping[str, Loaded], sectors: Mapping[str, str]
) -> Book:
    """The book at a close; whoever is not in `betas` or `loadings` has none."""
    held = [position for position in day.positions if position.quantity != 0]
    names = sorted({position.name_in_book for position in held})
    net = {name: float(sum(p.exposure for p in held if p.name_in_book == name)) for name in names}
    gross = {name: float(sum(abs(p.exposure) for p in held if p.name_in_book == name)) for name in names}
    nothing: Mapping[str, Number] = dict.fromkeys(FACTORS, MISSING)
    return Book(
        equity=float(day.equity),
        net=net,
        gross=gross,
        betas={name: betas.get(name, nothing) for name in names},
        loadings={name: loadings.get(name, NOBODY) for name in names},
        sectors={name: sectors.get(name, "Unclassified") for name in names},
        returns=pd.DataFrame({name: prices.returns(name, day.session, SEEN) for name in names}),
        options=[position.revalued for position in held if position.revalued is not None],
    )


def factor_returns(prices: Prices, proxies: Proxies, as_of: date) -> pd.DataFrame:
    """The returns of the factors' proxies, NaN for a factor without one."""
    columns = {name: prices.returns(proxies[name] or "", as_of, SEEN) for name in RISK_FACTORS}
    return pd.DataFrame(columns).astype(np.float64)
