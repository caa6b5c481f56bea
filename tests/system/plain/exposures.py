"""What a book is exposed to: factors, sectors, few names, borrowed money (methodology, 6)."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from tests.system.plain.book import Book
from tests.system.plain.known import DEGENERATE, MISSING, NOT_APPLICABLE, Number
from tests.system.plain.symbols import FACTORS


@dataclass(frozen=True)
class FactorExposure:
    """Over equity, in currency, and the part of gross whose beta is known."""

    beta: Number
    dollars: Number
    coverage: Number


def factor_exposures(book: Book) -> dict[str, FactorExposure]:
    """The exposure to every factor: missing betas are left out, and lower the coverage."""
    return {factor: _factor(book, factor) for factor in FACTORS}


def _factor(book: Book, factor: str) -> FactorExposure:
    betas = {symbol: book.betas[symbol][factor] for symbol in book.symbols}
    known = {symbol: beta for symbol, beta in betas.items() if isinstance(beta, float)}
    coverage = book.coverage(known.keys())
    why = book.why_nothing
    if why is None and not known:
        why = NOT_APPLICABLE if set(betas.values()) == {NOT_APPLICABLE} else MISSING
    if why is not None:
        return FactorExposure(why, why, coverage)
    dollars = sum(book.net[symbol] * beta for symbol, beta in known.items())
    return FactorExposure(dollars / book.equity, dollars, coverage)


@dataclass(frozen=True)
class SectorExposure:
    """In currency and over equity."""

    net: float
    gross: float
    net_over_equity: Number
    gross_over_equity: Number


def sector_exposures(book: Book) -> dict[str, SectorExposure]:
    """The sectors that the book holds."""
    net: defaultdict[str, float] = defaultdict(float)
    gross: defaultdict[str, float] = defaultdict(float)
    for symbol in book.symbols:
        net[book.sectors[symbol]] += book.net[symbol]
        gross[book.sectors[symbol]] += book.gross[symbol]
    return {
        name: SectorExposure(net[name], gross[name], over_equity(book, net[name]), over_equity(book, gross[name]))
        for name in gross
    }


def active_sectors(book: Book, benchmark: Mapping[str, float]) -> dict[str, tuple[float | None, float | None]]:
    """The benchmark's weight of each sector, and the book's less that; funds and the unclassified have neither."""
    exposures = sector_exposures(book)
    found: dict[str, tuple[float | None, float | None]] = {}
    for name in {*benchmark, *exposures}:
        mine = exposures[name].net_over_equity if name in exposures else 0.0
        weight = benchmark.get(name, 0.0)
        active = mine - weight if isinstance(mine, float) and book.equity > 0 else None
        found[name] = (None, None) if name in {"ETFs", "Unclassified"} else (weight, active)
    return found


def active_share(book: Book, index: Mapping[str, float]) -> tuple[Number, Number]:
    """Half of what differs from an index, symbol by symbol and in cash, and the part of gross that is no fund."""
    shares = [symbol for symbol in book.symbols if book.sectors[symbol] != "ETFs"]
    coverage = book.coverage(shares)
    if book.why_nothing is not None:
        return book.why_nothing, coverage
    total = sum(index.values())
    mine = {symbol: book.net[symbol] / book.equity for symbol in book.symbols}
    apart = sum(abs(mine.get(symbol, 0.0) - index.get(symbol, 0.0) / total) for symbol in {*mine, *index})
    return (apart + abs(1.0 - sum(mine.values()))) / 2.0, coverage


def over_equity(book: Book, amount: float) -> Number:
    return amount / book.equity if book.equity > 0 else DEGENERATE


def concentration(book: Book) -> dict[str, Number]:
    """Herfindahl's index and the largest names, of absolute net exposure."""
    names = ("hhi", "effective_positions", "top_3_concentration", "top_10_concentration")
    sizes = sorted((abs(amount) for amount in book.net.values()), reverse=True)
    total = sum(sizes)
    if not total:
        return dict.fromkeys(names, DEGENERATE if book.total_gross else NOT_APPLICABLE)
    hhi = sum((100 * size / total) ** 2 for size in sizes)
    return dict(zip(names, (hhi, 10_000 / hhi, sum(sizes[:3]) / total, sum(sizes[:10]) / total), strict=True))


def leverage(book: Book) -> dict[str, Number]:
    """Gross and net exposure over equity."""
    gross, net = book.total_gross, sum(book.net.values())
    return {"gross_leverage": over_equity(book, gross), "net_leverage": over_equity(book, net)}
