"""Digests of the inputs of a result, so that unchanged inputs are recognised and write nothing."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np

from services.symbol_analytics.core.columns import METRICS
from services.symbol_analytics.core.factors import CONVENTIONS
from services.symbol_analytics.core.freshness import sessions_since_last_close
from services.symbol_analytics.core.parameters import FactorParameters
from shared.arrays import FloatArray
from shared.digests import canonical
from shared.factor_set import FactorSet
from shared.returns import simple_returns
from shared.unavailable import Quantities

# Raised with every change of the core that changes a number: results of another version are other results.
CODE_VERSION: Final = 2
DIGEST_BYTES: Final = 16
# Another adjustment basis moves returns by some 1e-16 and must hardly ever carry one over a rounding edge: at 12
# decimals one dividend in ten would, over a year of returns. A cent on the dearest share is 1e-8.
DIGEST_DECIMALS: Final = 9


def factor_digests(
    closes: FloatArray,
    proxies: Mapping[str, FloatArray],
    *,
    factor_set: FactorSet,
    provider_betas: Quantities,
    provider_origins: Iterable[tuple[str | None, date | None]],
    parameters: FactorParameters = CONVENTIONS,
) -> tuple[bytes, ...]:
    """Return one digest per symbol of everything that `estimate_factors` computes its estimates from.

    Covers the returns of the longest window, the age of the last close, the regressors, the factor set, the
    parameters, the provider beta or its reason, its source and date, and `CODE_VERSION`. Parameters as of
    `estimate_factors`; `provider_origins` holds the source and the date of each provider beta.
    """
    n_sessions = parameters.required_sessions
    ages = sessions_since_last_close(closes)
    provided = zip(provider_betas.values.tolist(), provider_betas.unavailable, provider_origins, strict=True)
    regressors = [_series(ticker, proxies, n_sessions) for ticker in factor_set.tickers()]
    context = b"".join((factor_set.model_dump_json().encode(), repr(parameters).encode(), *regressors))
    labels = [
        f"{age} {why or beta!r} {source} {day}"
        for age, (beta, why, (source, day)) in zip(ages.tolist(), provided, strict=True)
    ]
    return row_digests([simple_returns(closes[-n_sessions:]).T], labels, context=context)


def tainted_digests(digests: tuple[bytes, ...], taints: Sequence[str | None]) -> tuple[bytes, ...]:
    """Return the digests, others where something is held of the symbol's closes: reasons say what."""
    if not any(taints):
        return digests
    return tuple(
        hashlib.blake2b(digest + taint.encode(), digest_size=DIGEST_BYTES).digest() if taint else digest
        for digest, taint in zip(digests, taints, strict=True)
    )


def metric_digests(
    close: FloatArray, adjusted: FloatArray, split_factors: FloatArray, *, labels: Iterable[str]
) -> tuple[bytes, ...]:
    """Return one digest per symbol of everything that its daily metrics are measured from.

    Adjusted closes count relative to the last one: a later dividend rescales all of them and changes no metric.

    Parameters
    ----------
    close, adjusted, split_factors : ndarray of shape (n_sessions, n_symbols)
        Split-adjusted and total-return adjusted closes, and the factors.
    labels : iterable of str
        What else the row of a symbol holds numbers of: its fundamentals, its betas.
    """
    last = len(adjusted) - 1 - sessions_since_last_close(adjusted)  # beyond the end where there is none
    base = adjusted[np.minimum(last, len(adjusted) - 1), np.arange(adjusted.shape[1])]
    blocks = [close.T, (adjusted / base).T, split_factors.T]
    return row_digests(blocks, list(labels), context=str(METRICS).encode())


def row_digests(blocks: Sequence[FloatArray], labels: Sequence[str], *, context: bytes) -> tuple[bytes, ...]:
    """Return one digest per row of the blocks side by side, with a label of its own and a context common to all.

    Parameters
    ----------
    blocks : sequence of ndarray of shape (n_rows, any)
        NaN allowed; any NaN is the same as any other, and -0.0 the same as 0.0. Seen to DIGEST_DECIMALS.
    labels : sequence of str
        What else belongs to a row, one per row.
    context : bytes
        What belongs to every row.

    Returns
    -------
    tuple of bytes
        One per row, each of DIGEST_BYTES.
    """
    shapes = repr([block.shape[1:] for block in blocks]).encode()
    seed = hashlib.blake2b(context, digest_size=DIGEST_BYTES)
    seed.update(shapes + str(CODE_VERSION).encode())
    rows = np.concatenate([_rounded(block) for block in blocks], axis=1)
    digests = []
    for row, label in zip(rows, labels, strict=True):
        digest = seed.copy()
        digest.update(row.data)
        digest.update(label.encode())
        digests.append(digest.digest())
    return tuple(digests)


def _series(ticker: str, proxies: Mapping[str, FloatArray], n_sessions: int) -> bytes:
    if ticker not in proxies:
        return f"{ticker} absent".encode()
    closes = np.asarray(proxies[ticker])[:, None]
    age = int(sessions_since_last_close(closes)[0])
    return f"{ticker} {age} ".encode() + _rounded(simple_returns(closes[-n_sessions:])).tobytes()


def _rounded(values: FloatArray) -> FloatArray:
    """Give numbers that differ by rounding only the same bits."""
    return canonical(np.round(values, DIGEST_DECIMALS))
