"""What is fetched first where a plan allows less than a run needs."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date


def in_order(symbols: Sequence[str], *, proxies: Collection[str], held: Mapping[str, date]) -> list[str]:
    """Return the symbols by how much they matter: the proxies, what is held, the longest first, and the rest.

    Parameters
    ----------
    symbols : sequence of str
    proxies : collection of str
        Without them nothing is explained.
    held : mapping of symbol to date
        Since when a book holds it.
    """

    def rank(symbol: str) -> tuple[int, date, str]:
        if symbol in proxies:
            return 0, date.min, symbol
        return (1, held[symbol], symbol) if symbol in held else (2, date.min, symbol)

    return sorted(symbols, key=rank)
