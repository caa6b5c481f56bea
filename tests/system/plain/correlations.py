"""How the larger holdings of a book move together (methodology, 8)."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from tests.system.plain.book import Book
from tests.system.plain.known import DEGENERATE, NOT_APPLICABLE, Number, cell


@dataclass(frozen=True)
class Correlated:
    """A matrix with NaN where a pair has none, and whose rows have all: what was changed to make it one."""

    matrix: pd.DataFrame
    complete: list[str]
    clip: float
    missing_pairs: int


def correlate(returns: pd.DataFrame) -> Correlated:
    """Pearson's correlation over the last 90 sessions that both have, at least 30, made positive semidefinite."""
    matrix, names = returns.iloc[-90:].corr(min_periods=30), [str(name) for name in returns]
    # What does not vary has no correlation; what a library makes of rounding is none.
    constant = [name for name in names if _spread(returns[name].iloc[-90:]) < 1e-9]
    matrix.loc[constant] = np.nan
    matrix[constant] = np.nan
    for name in names:
        matrix.loc[name, name] = 1.0
    missing = int(matrix.isna().sum().sum()) // 2
    complete = names.copy()
    while matrix.loc[complete, complete].isna().any().any():
        lacking = matrix.loc[complete, complete].isna().sum()
        complete.remove([name for name in complete if lacking[name] == lacking.max()][-1])
    part = matrix.loc[complete, complete].to_numpy()
    clip = 0.0
    if len(part) and np.linalg.eigvalsh(part).min() < -1e-10:
        values, vectors = np.linalg.eigh(part)
        psd = vectors @ np.diag(np.maximum(values, 0.0)) @ vectors.T
        psd = psd / np.sqrt(np.outer(np.diag(psd), np.diag(psd)))
        clip = float(np.abs(psd - part).max())
        matrix.loc[complete, complete] = psd
    return Correlated(matrix, complete, clip, missing)


def _spread(returns: pd.Series) -> float:
    known = returns.dropna()
    return float(known.max() - known.min()) if len(known) else 0.0


def large_holdings(book: Book) -> list[str]:
    """Those with a hundredth of gross exposure."""
    return [symbol for symbol in book.symbols if 0 < book.gross[symbol] >= 0.01 * book.total_gross]


def correlated(book: Book) -> Correlated:
    return correlate(book.returns[large_holdings(book)])


def average_correlation(book: Book, found: Correlated) -> Number:
    """Of the P&L of two holdings, weighted by the product of the absolute exposures, over the pairs that have one."""
    names = [str(name) for name in found.matrix]
    if not names:
        return NOT_APPLICABLE
    total = weights = 0.0
    pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
    known = [(one, other) for one, other in pairs if np.isfinite(cell(found.matrix, one, other))]
    if not known:
        return NOT_APPLICABLE
    for one, other in known:
        product = book.net[one] * book.net[other]
        weights += abs(product)
        total += product * cell(found.matrix, one, other)
    return total / weights if weights else DEGENERATE


def effective_bets(book: Book, found: Correlated) -> Number:
    """The exponential of the entropy of the principal components' shares in the variance of the book."""
    if found.matrix.empty:
        return NOT_APPLICABLE
    net = np.array([book.net[name] for name in found.complete])
    deviations = np.array([_deviation(book, name) for name in found.complete])
    if not np.isfinite(deviations).all() or not (net * deviations).any():
        return DEGENERATE
    covariance = found.matrix.loc[found.complete, found.complete].to_numpy() * np.outer(deviations, deviations)
    variances, components = np.linalg.eigh(covariance)
    parts = (components.T @ net) ** 2 * np.maximum(variances, 0)
    shares = parts[parts > 0] / parts.sum()
    return float(np.exp(-sum(share * np.log(share) for share in shares)))


def _deviation(book: Book, symbol: str) -> float:
    return float(book.returns[symbol].iloc[-90:].std(ddof=1))


def covered(book: Book, found: Correlated) -> Number:
    """The part of gross that the complete matrix speaks for."""
    return book.coverage({name for name in found.complete if np.isfinite(_deviation(book, name))})


def clusters(book: Book, found: Correlated) -> list[tuple[str, list[str]]]:
    """Average linkage on the root of (1 - rho)/2, cut where rho is a half; named by the largest sector."""
    if len(found.complete) < 2:
        return []
    rho = found.matrix.loc[found.complete, found.complete].to_numpy()
    distances = np.sqrt(np.maximum(1 - rho, 0) / 2)
    np.fill_diagonal(distances, 0.0)
    labels = fcluster(linkage(squareform(distances, checks=False), "average"), np.sqrt(0.25), criterion="distance")
    members: defaultdict[int, list[str]] = defaultdict(list)
    for name, label in zip(found.complete, labels.tolist(), strict=True):
        members[label].append(name)
    groups = [group for group in members.values() if len(group) > 1]
    named: list[tuple[str, list[str]]] = []
    for group in groups:
        sector = _largest_sector(book, group)
        same = sum(name == sector or name.startswith(f"{sector} ") for name, _ in named)
        named.append((f"{sector} {same + 1}" if same else sector, group))
    return named


def _largest_sector(book: Book, group: list[str]) -> str:
    gross: defaultdict[str, float] = defaultdict(float)
    for name in group:
        gross[book.sectors[name]] += book.gross[name]
    return min(gross, key=lambda sector: (-gross[sector], sector))
