"""Digests of the inputs of an assessment, so that unchanged inputs are recognised and write nothing."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk.core.active_share import Constituents
from services.risk.core.holdings import NetHoldings
from services.risk.core.measures import MEASURES
from services.risk.core.scenarios import RateSensitivity
from services.risk.core.sectors import Benchmark
from shared.arrays import FloatArray
from shared.conventions import SYMBOL_COLUMNS
from shared.digests import canonical
from shared.unavailable import Quantities, Reason

# Raised with every change that changes a number: results of another version are other results.
CODE_VERSION: Final = 12
DIGEST_BYTES: Final = 16

# A history that has been restated has the same returns but for rounding.
_RETURN_DECIMALS: Final = 12

_CONTEXT: Final = repr((CODE_VERSION, SYMBOL_COLUMNS, [measure.name for measure in MEASURES])).encode()
_REASON_CODES: Final = {reason: index + 1.0 for index, reason in enumerate(Reason)}


def symbol_digests(
    symbols: Sequence[str], *, known: Quantities, sectors: Sequence[str], returns: FloatArray
) -> NDArray[np.uint8]:
    """Return a digest of what is known of each symbol, (n_symbols, DIGEST_BYTES)."""
    missing = ~known.available
    codes = np.zeros(known.values.shape)
    codes[missing] = [_REASON_CODES[why.reason] for why in known.unavailable[missing]]
    rows = canonical(np.concatenate([known.values, codes, np.round(returns, _RETURN_DECIMALS)], axis=1))
    digests = [
        hashlib.blake2b(repr(label).encode() + row.tobytes(), digest_size=DIGEST_BYTES).digest()
        for label, row in zip(zip(symbols, sectors, strict=True), rows, strict=True)
    ]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, DIGEST_BYTES)


def factor_digest(
    proxies: Sequence[str | None], returns: FloatArray, episodes: Mapping[str, FloatArray], *, rate: RateSensitivity
) -> bytes:
    """Return a digest of what is known of the risk factors at a session."""
    context = repr((list(proxies), sorted(episodes), rate)).encode()
    digest = hashlib.blake2b(_CONTEXT + context, digest_size=DIGEST_BYTES)
    for known in (returns, *(episodes[scenario] for scenario in sorted(episodes))):
        digest.update(canonical(np.round(known, _RETURN_DECIMALS)).tobytes())
    return digest.digest()


def benchmark_digest(benchmark: Benchmark | None, constituents: Constituents | None) -> bytes:
    """Return a digest of what sectors and holdings are compared with."""
    known = [each and (each.name, sorted(each.weights.items())) for each in (benchmark, constituents)]
    return hashlib.blake2b(repr(known).encode(), digest_size=DIGEST_BYTES).digest()


def portfolio_digests(holdings: NetHoldings, symbols: NDArray[np.uint8], *, common: bytes) -> tuple[bytes, ...]:
    """Return one digest per portfolio over its equity, its holdings, what is known of their symbols and `common`.

    Depends neither on the order of the positions nor on the other portfolios of the shard.

    Parameters
    ----------
    holdings : NetHoldings
    symbols : ndarray of shape (n_symbols, DIGEST_BYTES)
    common : bytes
        What is known beside symbols.

    Returns
    -------
    tuple of bytes
    """
    amounts = np.column_stack([holdings.net, holdings.gross]).astype(np.int64)
    records = np.concatenate([symbols[holdings.symbol], amounts.view(np.uint8)], axis=1)
    bounds = holdings.bounds().tolist()
    # Of a portfolio's options the place among its own holdings counts, not that in the shard.
    owner = holdings.portfolio[holdings.options.place]
    options = canonical(np.column_stack([holdings.options.place - holdings.bounds()[owner], holdings.options.table]))
    firsts = np.searchsorted(owner, np.arange(holdings.n_portfolios + 1)).tolist()
    seed = hashlib.blake2b(_CONTEXT + common, digest_size=DIGEST_BYTES)
    digests = []
    for portfolio, (equity, (first, last)) in enumerate(zip(holdings.equity, pairwise(bounds), strict=True)):
        digest = seed.copy()
        digest.update(equity.tobytes())
        digest.update(records[first:last].tobytes())
        digest.update(options[firsts[portfolio] : firsts[portfolio + 1]].tobytes())
        digests.append(digest.digest())
    return tuple(digests)
