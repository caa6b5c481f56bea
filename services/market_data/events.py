"""What market_data announces: stored bars, profiles and statements, or that a run or a shard has none."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime

import numpy as np

from services.market_data.core.bars import Bars, RevisedBars
from services.market_data.core.statements import CompletedStatement
from services.market_data.providers.progress import Attempts
from services.market_data.updating.bars import RefreshedBars
from services.market_data.updating.companies import RefreshedProfiles, RefreshedStatements
from shared.arrays import FloatArray
from shared.contracts.event import Event, Failure
from shared.contracts.market_data import (
    Column,
    ConstituentList,
    CorporateAction,
    Correction,
    FundamentalsUpdated,
    MarketDataDue,
    PriceBlock,
    PricesUpdated,
    Profile,
    ProfilesUpdated,
    RiskFreeRate,
    Statement,
)
from shared.contracts.run import ONLY_PART, Part
from shared.db.unit_of_work import UnitOfWork
from shared.unavailable import nullable


def prices_updated(
    event: MarketDataDue,
    announced: RevisedBars,
    bars: RefreshedBars,
    *,
    sources: Mapping[str, str],
    unavailable: Mapping[str, tuple[str, str]],
    inferred: Collection[tuple[str, date]],
) -> PricesUpdated:
    """Return the announcement of these bars, of histories that were restated, and of symbols that have none.

    Every symbol of the shard is in the first block, also one without a bar on these sessions: it is analysed from what
    is known of it, or says why not.
    """
    grids = [announced.bars, *(history.bars for history in bars.restated)]
    # What was once missing is no failure of a run over sessions whose bars are there.
    own = announced.bars.between(event.run.first_session, event.run.last_session)
    present = {own.symbols[column] for column in np.flatnonzero(own.present.any(axis=0))}
    failures = [
        Failure(subject=symbol, reason=reason, detail=detail)
        for symbol, (reason, detail) in unavailable.items()
        if symbol not in present
    ]
    return PricesUpdated(
        run=event.run,
        part=event.part,
        subjects=len(event.symbols),
        failures=tuple(sorted(failures, key=lambda failure: failure.subject)),
        unchanged=_unchanged(event, announced.bars, bars),
        blocks=(_block(announced, sources), *_histories(bars.restated, sources)),
        splits=tuple(
            action.model_copy(update={"inferred": (action.symbol, action.session) in inferred})
            for grid in grids
            for action in _actions(grid, "split", blank=1.0)
        ),
        dividends=tuple(action for grid in grids for action in _actions(grid, "dividend", blank=0.0)),
        corrections=tuple(
            Correction(
                symbol=span.symbol,
                first_session=span.first_session,
                last_session=span.last_session,
                revision=bars.revision,
            )
            for span in bars.corrected
        ),
    )


def _unchanged(event: MarketDataDue, announced: Bars, refreshed: RefreshedBars) -> int:
    """Return how many bars of the run's sessions were stored before, on sessions where no bar of the shard changed."""
    own = announced.sessions >= np.datetime64(event.run.first_session, "D")
    own &= announced.sessions <= np.datetime64(event.run.last_session, "D")
    rows = own & ~np.isin(announced.sessions, refreshed.sessions)
    return 0 if refreshed.restated else int(announced.present[rows].sum())


def _histories(restated: Sequence[RevisedBars], sources: Mapping[str, str]) -> Iterator[PriceBlock]:
    # One block a symbol, over the sessions that it has: histories of different lengths would mostly be nulls.
    for histories in restated:
        for column in range(len(histories.bars.symbols)):
            history = histories.history(column)
            if len(history.bars.sessions):
                yield _block(history, sources)


def _block(revised: RevisedBars, sources: Mapping[str, str]) -> PriceBlock:
    bars = revised.bars
    return PriceBlock(
        sessions=tuple(bars.sessions.tolist()),
        symbols=bars.symbols,
        sources=tuple(map(sources.get, bars.symbols)),
        close=_columns(bars.close),
        adjusted=_columns(bars.adjusted),
        revisions=tuple(map(tuple, revised.revision.T.tolist())),
    )


def _columns(grid: FloatArray) -> tuple[Column, ...]:
    return tuple(map(tuple, nullable(grid.T)))


def _actions(bars: Bars, field: str, *, blank: float) -> list[CorporateAction]:
    grid: FloatArray = getattr(bars, field)
    rows, columns = np.nonzero(bars.present & (grid != blank))
    return [
        CorporateAction(symbol=bars.symbols[column], session=bars.sessions[row].item(), value=float(grid[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def risk_free_rates(rates: Mapping[date, float]) -> tuple[RiskFreeRate, ...]:
    """Return the rates as they are announced, the oldest first."""
    return tuple(RiskFreeRate(day=on, rate=rate) for on, rate in sorted(rates.items()))


def profiles_updated(
    event: MarketDataDue, profiles: RefreshedProfiles, constituents: Sequence[ConstituentList]
) -> ProfilesUpdated:
    """Return the announcement of profiles that have changed and of lists that are new; a part without any counts."""
    announced = tuple(
        Profile(
            **known.facts.model_dump(),
            source=known.source,
            fetched_at=known.fetched_at,
            counts_from=known.counts_from(),
        )
        for known in profiles.changed
    )
    return ProfilesUpdated(
        run=event.run,
        part=event.part,
        subjects=len(announced),
        failures=_undecided(profiles.attempts),
        profiles=announced,
        constituents=tuple(constituents),
    )


def fundamentals_updated(
    event: MarketDataDue, statements: RefreshedStatements, *, fetched_at: datetime
) -> FundamentalsUpdated:
    """Return the announcement of the statements that are new or restated; a part without any still counts."""
    announced = tuple(
        _statement(each, statements, fetched_at)
        for each in statements.changed
        if each.given.period in statements.revisions
    )
    return FundamentalsUpdated(
        run=event.run,
        part=event.part,
        subjects=len({statement.symbol for statement in announced}),
        failures=_undecided(statements.attempts),
        statements=announced,
    )


def _statement(completed: CompletedStatement, statements: RefreshedStatements, fetched_at: datetime) -> Statement:
    given, period = completed.given, completed.given.period
    return Statement(
        symbol=period.symbol,
        statement=period.statement,
        frequency=period.frequency,
        period_end=period.end,
        revision=statements.revisions[period],
        published_on=given.published_on,
        counts_from=completed.counts_from,
        currency=given.currency,
        fiscal_year=given.fiscal_year,
        fiscal_quarter=given.fiscal_quarter,
        items=completed.items,
        source=statements.source[period.symbol],
        fetched_at=fetched_at,
    )


def _undecided(attempts: Attempts) -> tuple[Failure, ...]:
    # That a company is unknown is no failure; that it could not be asked for is.
    unavailable = attempts.unavailable
    return tuple(
        Failure(subject=symbol, reason=unavailable[symbol].reason, detail=unavailable[symbol].detail)
        for symbol in attempts.undecided
    )


async def report_failed_plan(event: Event, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the run has no prices."""
    _announce(event, ONLY_PART, (failure,), uow)


async def report_failed_fetch(event: MarketDataDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the symbols of this shard have no prices."""
    failures = tuple(failure.model_copy(update={"subject": symbol}) for symbol in event.symbols)
    _announce(event, event.part, failures, uow)


def _announce(event: Event, part: Part, failures: tuple[Failure, ...], uow: UnitOfWork) -> None:
    run = event.run.leaving_unsaid("symbols")
    uow.emit(
        PricesUpdated(run=run, part=part, failures=failures),
        ProfilesUpdated(run=run, part=part),
        FundamentalsUpdated(run=run, part=part),
    )
