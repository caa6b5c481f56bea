"""What the other services announce to risk."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from uuid import UUID

import numpy as np

from shared.arrays import FloatArray
from shared.calendar import sessions_between, shift_session
from shared.contracts.market_data import PriceBlock, PricesUpdated, Profile, ProfilesUpdated
from shared.contracts.portfolio import Book, HeldOption, PortfoliosValued
from shared.contracts.run import ONLY_PART, Part, Run
from shared.contracts.symbol_analytics import Row, SymbolsFactored, UnavailableCells
from shared.conventions import FACTORS, MARKET_BETA, SYMBOL_COLUMNS
from shared.unavailable import Reason
from tests.support.runs import SESSION

NO_BETA = "42 of 60 sessions"

_numbers = count(1)


def new_symbols(how_many: int) -> tuple[str, ...]:
    """Return symbols that no other test uses, in the order of their names."""
    return tuple(f"S{next(_numbers):06d}" for _ in range(how_many))


def closes(n_sessions: int = 64, *, seed: int = 1) -> FloatArray:
    """Return a walk of prices."""
    steps = np.random.default_rng(seed).normal(0.0, 0.02, n_sessions)
    walk: FloatArray = np.asarray(100.0 * np.cumprod(1.0 + steps), dtype=np.float64)
    return walk


def priced(run: Run, prices: Mapping[str, FloatArray], *, part: Part = ONLY_PART) -> PricesUpdated:
    """Return prices that end at the run's last session, all series of one length."""
    if not prices:
        return PricesUpdated(run=run, part=part)
    length = len(next(iter(prices.values())))
    sessions = sessions_between(shift_session(run.last_session, 1 - length), run.last_session)
    rows = tuple(tuple(series.tolist()) for series in prices.values())
    sources = ("files",) * len(prices)
    block = PriceBlock(sessions=tuple(sessions), symbols=tuple(prices), sources=sources, close=rows, adjusted=rows)
    return PricesUpdated(run=run, part=part, blocks=(block,))


def profiled(run: Run, sectors: Mapping[str, str | None], *, funds: Sequence[str] = ()) -> ProfilesUpdated:
    """Return profiles with these sectors; `funds` are ETFs."""
    fetched_at = datetime(2025, 3, 14, 22, tzinfo=UTC)
    profiles = tuple(
        Profile(symbol=symbol, sector=sector, is_etf=symbol in funds, source="test", fetched_at=fetched_at)
        for symbol, sector in sectors.items()
    )
    return ProfilesUpdated(run=run, part=ONLY_PART, profiles=profiles)


def factored(
    run: Run,
    market_betas: Mapping[str, float | None],
    *,
    as_of: date = SESSION,
    reason: Reason = Reason.INSUFFICIENT_HISTORY,
) -> SymbolsFactored:
    """Return market betas, other betas and loadings of 0.5; None: no market beta for this reason."""
    market = FACTORS.index(MARKET_BETA)
    rows: list[Row] = []
    for beta in market_betas.values():
        row: list[float | None] = [0.5] * len(SYMBOL_COLUMNS)
        row[market] = beta
        rows.append(tuple(row))
    without = tuple(symbol for symbol, beta in market_betas.items() if beta is None)
    cells = UnavailableCells(as_of=as_of, column=MARKET_BETA, reason=reason, detail=NO_BETA, symbols=without)
    return SymbolsFactored(
        run=run,
        part=ONLY_PART,
        as_ofs=(as_of,),
        symbols=tuple(market_betas),
        columns=SYMBOL_COLUMNS,
        values=(tuple(rows),),
        unavailable=(cells,) if without else (),
    )


def book(
    portfolio_id: UUID,
    exposures: Mapping[str, float],
    *,
    equity: str = "200000.00",
    as_of: date = SESSION,
    revision: int = 1,
    options: tuple[HeldOption, ...] = (),
) -> Book:
    """Return a book with one position a symbol."""
    return Book(
        portfolio_id=portfolio_id,
        as_of=as_of,
        revision=revision,
        equity=Decimal(equity),
        symbols=tuple(exposures),
        exposures=tuple(exposures.values()),
        options=options,
    )


def valued(run: Run, *books: Book, part: Part = ONLY_PART) -> PortfoliosValued:
    """Return a valued part."""
    return PortfoliosValued(run=run, part=part, subjects=len(books), books=books)
