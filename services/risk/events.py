"""What is announced of an assessment, and of portfolios that could not be assessed."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from services.risk.core.assessment import Assessment
from services.risk.core.coverage_floor import LowCoverage
from services.risk.core.measures import MEASURES
from shared.calendar import consecutive_sessions
from shared.contracts.event import Event, Failure, Measure
from shared.contracts.portfolio import PortfoliosValued
from shared.contracts.risk import MAX_HEADLINES, AssessedSpan, Headline, PortfoliosAssessed, RiskDue
from shared.conventions import FACTORS, MARKET_BETA
from shared.db.unit_of_work import UnitOfWork
from shared.unavailable import Reason, Unavailable

_MARKET = FACTORS.index(MARKET_BETA)
_NAMES = [measure.name for measure in MEASURES]
_VOLATILITY, _EFFECTIVE = _NAMES.index("volatility_63d"), _NAMES.index("effective_positions")


def portfolios_assessed(event: RiskDue, found: Sequence[Headline], *, written: int) -> PortfoliosAssessed:
    """Return the announcement of a shard: who was assessed when, the newest headlines, how many are no new revision."""
    return PortfoliosAssessed(
        run=event.run,
        part=event.part,
        subjects=len(event.portfolio_ids),
        failures=event.failures,
        headlines=tuple(found[-MAX_HEADLINES:]),
        assessed=assessed_spans(found),
        unchanged=len(found) - written,
    )


def headlines(assessment: Assessment) -> list[Headline]:
    """Return the risk of each portfolio in a few numbers."""
    factors, told = assessment.factors, assessment.told
    return [
        Headline(
            portfolio_id=portfolio_id,
            as_of=assessment.books.as_of,
            market_beta=_announced(told.betas.at((index, _MARKET))),
            market_beta_coverage=Measure.of(factors.coverage.at((index, _MARKET))).value,
            volatility_63d=_announced(told.measures.at((index, _VOLATILITY))),
            effective_positions=_announced(told.measures.at((index, _EFFECTIVE))),
        )
        for index, portfolio_id in enumerate(assessment.books.portfolio_ids)
    ]


def _announced(found: float | Unavailable | LowCoverage) -> Measure:
    # Events know the reasons that they were recorded with: of the part that is not covered, data are missing.
    if isinstance(found, LowCoverage):
        return Measure(reason=Reason.MISSING_DATA, detail=f"{found.reason}: {found.detail}")
    return Measure.of(found)


def assessed_spans(announced: Sequence[Headline]) -> tuple[AssessedSpan, ...]:
    """Return which portfolio was assessed at which sessions, from all the headlines, oldest first."""
    sessions: dict[UUID, list[date]] = defaultdict(list)
    for headline in announced:
        sessions[headline.portfolio_id].append(headline.as_of)
    # Most portfolios of a shard have the same ones.
    stretches = {tuple(days): consecutive_sessions(days) for days in {tuple(days) for days in sessions.values()}}
    return tuple(
        AssessedSpan(portfolio_id=portfolio_id, first_session=first, last_session=last)
        for portfolio_id, days in sessions.items()
        for first, last in stretches[tuple(days)]
    )


async def report_failed_books(event: PortfoliosValued, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the portfolios of this part have no books here and will not be assessed."""
    _announce(event, event.subject_names(), failure, uow)


async def report_failed_assessment(event: RiskDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the portfolios of this shard have no risk."""
    _announce(event, [str(portfolio_id) for portfolio_id in event.portfolio_ids], failure, uow)


def _announce(event: Event, portfolio_ids: Sequence[str], failure: Failure, uow: UnitOfWork) -> None:
    # A part without portfolios can fail too, and must not pass for one that went well.
    failures = tuple(failure.model_copy(update={"subject": subject}) for subject in portfolio_ids) or (failure,)
    uow.emit(PortfoliosAssessed(run=event.run, part=event.part, failures=failures))
