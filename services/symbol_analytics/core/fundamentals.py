"""What is known of the companies behind the symbols: statements, figures of their profiles, currencies, funds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import product
from types import MappingProxyType
from typing import Final

import numpy as np

from services.symbol_analytics.core.histories import FigureHistory, Figures, Periods, StatementHistory
from shared.arrays import BoolArray, TextArray
from shared.fundamentals import FREQUENCIES

# statement -> the items that numbers are computed from
RATIO_ITEMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "income": ("total_revenue", "ebitda", "net_income", "diluted_average_shares"),
        "balance": ("total_stockholders_equity", "net_debt"),
        "cash_flow": ("dividends_paid",),
    }
)
PROFILE_FIGURES: Final = ("beta", "market_cap", "shares_outstanding", "dividend_yield")
PUBLISHED: Final = tuple(product(RATIO_ITEMS, FREQUENCIES))

Published = tuple[str, str]  # statement, frequency


@dataclass(frozen=True, slots=True, eq=False)
class KnownFundamentals:
    """What was known of the symbols of a shard as of a day.

    Parameters
    ----------
    as_of : date
    statements : mapping of (statement, frequency) to Periods
    figures : mapping of str to Figures
    currencies : ndarray of object, shape (n_symbols,)
        Of the prices; None where it is not known.
    funds : ndarray of bool, shape (n_symbols,)
    """

    as_of: date
    statements: Mapping[Published, Periods]
    figures: Mapping[str, Figures]
    currencies: TextArray
    funds: BoolArray

    def labels(self) -> Iterator[str]:
        """Yield for each symbol everything that its ratios can depend on, exactly."""
        periods = self.statements.values()
        numbers = [
            *(figure.values[:, None] for figure in self.figures.values()),
            *(values for period in periods for values in period.items.values()),
            *(figure.days.astype(np.float64)[:, None] for figure in self.figures.values()),
            *(
                days.astype(np.float64)
                for period in periods
                for days in (period.ends, period.published_on, period.counts_from)
            ),
        ]
        rows = np.concatenate(numbers, axis=1)
        texts = np.concatenate([self.currencies[:, None], *(period.currencies for period in periods)], axis=1)
        for row, text, fund in zip(rows, texts.tolist(), self.funds.tolist(), strict=True):
            yield f"{row.tobytes().hex()} {text} {fund}"


@dataclass(frozen=True, slots=True, eq=False)
class Fundamentals:
    """What has become known of the symbols of a shard, with the day from which each of it counts.

    `currencies` and `funds` are as in `KnownFundamentals`; they have no history.
    """

    statements: Mapping[Published, StatementHistory]
    figures: Mapping[str, FigureHistory]
    currencies: TextArray
    funds: BoolArray

    def known_at(self, as_of: date) -> KnownFundamentals:
        """Return what was known as of a day: nothing that counts from a later one."""
        return KnownFundamentals(
            as_of,
            {published: history.known_at(as_of) for published, history in self.statements.items()},
            {name: history.known_at(as_of) for name, history in self.figures.items()},
            self.currencies,
            self.funds,
        )
