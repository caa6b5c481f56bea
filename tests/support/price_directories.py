"""Directories for the `files` provider, with prices that a generator makes and lines that a test spoils."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from shared.calendar import sessions_between

FIRST = date(2020, 9, 1)


def walk(seed: int, sessions: int) -> list[float]:
    """Closes of a random walk, to the cent, never far from where they began."""
    returns = np.random.default_rng(seed).normal(0.0002, 0.012, sessions)
    closes: list[float] = np.round(100.0 * np.exp(np.cumsum(returns)), 2).tolist()
    return closes


@dataclass(slots=True)
class PriceDirectory:
    """Closes per symbol and session, splits and dividends, and whatever lines a test adds."""

    path: Path
    closes: dict[str, dict[date, float]] = field(default_factory=dict)
    dividends: dict[tuple[str, date], float] = field(default_factory=dict)
    splits: dict[tuple[str, date], float] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)

    def add(self, *symbols: str, first: date = FIRST, last: date) -> None:
        """Generate a series for each symbol."""
        for symbol in symbols:
            days = sessions_between(first, last)
            seed = sum(map(ord, symbol)) + len(self.closes)
            self.closes[symbol] = dict(zip(days, walk(seed, len(days)), strict=True))

    def write(self, *, close: str = "close", until: date = date.max) -> dict[str, int]:
        """Write `prices.csv` up to a day, the closes under that heading; return on which line each added line is."""
        lines = [f"symbol,date,{close},dividend,split", *self._rows(until)]
        begin = len(lines)
        lines += self.extra
        (self.path / "prices.csv").write_text("\n".join(lines) + "\n")
        return {line: begin + index + 1 for index, line in enumerate(self.extra)}

    def remove(self) -> None:
        """Leave the directory without a price file."""
        (self.path / "prices.csv").unlink()

    def _rows(self, until: date) -> Iterator[str]:
        for symbol, series in self.closes.items():
            for day, close in series.items():
                if day <= until:
                    dividend, split = self.dividends.get((symbol, day), ""), self.splits.get((symbol, day), "")
                    yield f"{symbol},{day},{close},{dividend},{split}"
