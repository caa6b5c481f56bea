"""When prices, profiles and betas of a run are in: its books, part by part as they were valued."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from services.risk.core.risk_context import PRICE_SESSIONS
from services.risk.core.scenarios import SCENARIOS
from services.risk.storage.repository import RiskRepository
from shared.bus.fan_in import ArrivedPart, failures_of
from shared.contracts.portfolio import PortfoliosValued
from shared.contracts.risk import RiskDue
from shared.contracts.run import Part, Run, Symbol
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.corrections import CorrectedBars, load_corrections


async def fan_out_books(run: Run, parts: Sequence[ArrivedPart], uow: UnitOfWork, *, factor_set: FactorSet) -> None:
    """Note what the run's corrections touch; hand out the valued parts that were waiting, later ones as they come."""
    corrections = await load_corrections(uow.connection, run.run_id)
    if corrections:
        proxies = factor_set.tickers()
        touched = [_touched(entry, is_proxy=entry.symbol in proxies) for entry in corrections]
        await RiskRepository(uow.connection).touch_books(touched, run)
    failures = failures_of(parts)
    for part in parts:
        if part.stream == PortfoliosValued.topic:
            uow.emit(books_due(run, replace(part, failures=failures)))
            failures = ()  # said once


def _touched(corrected: CorrectedBars, *, is_proxy: bool) -> tuple[Symbol | None, date, date]:
    """Return whose books see the bars, None for everybody's, and from which session to which."""
    until = corrected.seen_until(PRICE_SESSIONS)
    if not is_proxy:
        return corrected.symbol, corrected.first_session, until
    episodes = (scenario.episode for scenario in SCENARIOS if scenario.episode is not None)
    # Every assessment after a historical episode replays it.
    replayed = any(first <= corrected.last_session and corrected.first_session <= last for first, last in episodes)
    return None, corrected.first_session, date.max if replayed else until


def books_due(run: Run, valued: ArrivedPart) -> RiskDue:
    """Return the shard for a valued part: the same part of as many, and of its sessions only."""
    first, last = valued.sessions or (None, None)
    return RiskDue(
        run=run.leaving_unsaid("symbols", "portfolio_ids"),
        part=Part(index=valued.index, total=valued.total),
        subjects=len(valued.subjects),
        failures=valued.failures,
        portfolio_ids=tuple(UUID(portfolio_id) for portfolio_id in valued.subjects),
        first_session=first,
        last_session=last,
    )
