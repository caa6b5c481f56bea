"""Events of a run as the services say them, and their way into the ledger."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

from services.scheduler.core.ledger import STAGES
from services.scheduler.handlers.record_progress import record_progress
from services.scheduler.storage.repository import SchedulerRepository
from shared.calendar import sessions_between
from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Event, Failure
from shared.contracts.market_data import PriceBlock, PricesUpdated
from shared.contracts.portfolio import Holding, PortfoliosValued, Snapshot, SymbolsOnboarding
from shared.contracts.risk import AssessedSpan, PortfoliosAssessed
from shared.contracts.run import ONLY_PART, Part, Run
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured
from shared.service import Service

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK = sessions_between(date(2025, 3, 10), date(2025, 3, 14))


def new_symbol() -> str:
    return f"S{uuid4().hex[:8].upper()}"


def prices(run: Run, *symbols: str, missing: tuple[str, ...] = (), part: Part = ONLY_PART) -> PricesUpdated:
    """Bars of the symbols on every session of the run; of those missing, why not."""
    sessions = tuple(sessions_between(run.first_session, run.last_session))
    rows = ((10.0,) * len(sessions),) * len(symbols)
    block = PriceBlock(sessions=sessions, symbols=symbols, close=rows, adjusted=rows)
    failures = tuple(Failure(subject=symbol, reason="MISSING_DATA", detail="nobody has it") for symbol in missing)
    return PricesUpdated(run=run, part=part, blocks=(block,), failures=failures)


def table(kind: type[SymbolsFactored] | type[SymbolsMeasured], run: Run, *symbols: str) -> Event:
    sessions = tuple(sessions_between(run.first_session, run.last_session))
    values = (((1.0,),) * len(symbols),) * len(sessions)
    return kind(run=run, part=ONLY_PART, as_ofs=sessions, symbols=symbols, columns=("x",), values=values)


def valued(run: Run, *portfolio_ids: UUID, revision: int = 1, failed: tuple[UUID, ...] = ()) -> PortfoliosValued:
    amounts: dict[str, Any] = dict.fromkeys(("equity", "pnl", "flow", "cash", "gross", "net"), 0)
    return PortfoliosValued(
        run=run,
        part=ONLY_PART,
        failures=tuple(Failure(subject=str(each), reason="ValueError", detail="broken") for each in failed),
        snapshots=tuple(
            Snapshot(portfolio_id=each, as_of=session, revision=revision, stale_positions=0, **amounts)
            for each in portfolio_ids
            for session in sessions_between(run.first_session, run.last_session)
        ),
    )


def assessed(run: Run, *portfolio_ids: UUID) -> PortfoliosAssessed:
    spans = tuple(
        AssessedSpan(portfolio_id=each, first_session=run.first_session, last_session=run.last_session)
        for each in portfolio_ids
    )
    return PortfoliosAssessed(run=run, part=ONLY_PART, assessed=spans)


def opened(
    run: Run, portfolio_id: UUID, name: str, *symbols: str, on: date = MONDAY, until: date | None = None
) -> SymbolsOnboarding:
    holdings = tuple(Holding(symbol=symbol, since=on) for symbol in symbols)
    return SymbolsOnboarding(
        run=run,
        part=ONLY_PART,
        portfolio_id=portfolio_id,
        portfolio_name=name,
        opened_on=on,
        closed_on=until,
        holdings=holdings,
    )


def stage_event(stage: str, run: Run, *, index: int = 0, total: int = 1, failed: tuple[str, ...] = ()) -> Event:
    """A part of any stage that speaks of five subjects; some of them failed for these reasons."""
    failures = tuple(Failure(subject=f"S{place}", reason=reason, detail="") for place, reason in enumerate(failed))
    table = {"as_ofs": (), "symbols": (), "columns": (), "values": ()} if stage.startswith("symbols.") else {}
    return EVENTS[stage](run=run, part=Part(index=index, total=total), subjects=5, failures=failures, **table)


def whole_run(run: Run, *, parts: int = 1) -> list[Event]:
    """Every part of every stage."""
    return [stage_event(stage, run, index=index, total=parts) for stage in STAGES for index in range(parts)]


async def record(scheduler: Service, *events: Event) -> None:
    """Record events of runs that are known, or become it by them."""
    for event in events:
        if not isinstance(event, SymbolsOnboarding):
            await make_known(scheduler, event.run)
        async with scheduler.unit_of_work() as uow:
            await record_progress(event, uow)


async def make_known(scheduler: Service, run: Run) -> None:
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).store_run(run, scope=f"{run.run_id}")
