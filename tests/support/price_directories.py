"""Directories for the `files` provider, with prices that a generator makes and lines that a test spoils."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from shared.calendar import sessions_between

FIRST = date(2021, 9, 1)


def walk(seed: int, sessions: int) -> list[float]:
    """Closes of a random walk, to the cent, never far from where they began."""
    returns = np.random.default_rng(seed).normal(0.0002, 0.012, sessions)
    closes: list[float] = np.round(100.0 * np.exp(np.cumsum(returns)), 2).tolist()
    return closes


@dataclass(slots=True)
class PriceDirectory:
    """Closes per symbol and session, and whatever lines a test adds."""

    path: Path
    closes: dict[str, dict[date, float]] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)

    def add(self, *symbols: str, first: date = FIRST, last: date) -> None:
        """Generate a series for each symbol."""
        for symbol in symbols:
            days = sessions_between(first, last)
            seed = sum(map(ord, symbol)) + len(self.closes)
            self.closes[symbol] = dict(zip(days, walk(seed, len(days)), strict=True))

    def write(self, *, header: str = "symbol,date,close", until: date = date.max) -> dict[str, int]:
        """Write `prices.csv` up to a day; return on which line each added line is."""
        lines = [header, *_rows(self.closes, until)]
        begin = len(lines)
        lines += self.extra
        (self.path / "prices.csv").write_text("\n".join(lines) + "\n")
        return {line: begin + index + 1 for index, line in enumerate(self.extra)}

    def remove(self) -> None:
        """Leave the directory without a price file."""
        (self.path / "prices.csv").unlink()


def _rows(closes: Mapping[str, Mapping[date, float]], until: date) -> Iterable[str]:
    for symbol, series in closes.items():
        for day, close in series.items():
            if day <= until:
                yield f"{symbol},{day},{close}"
