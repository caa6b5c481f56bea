from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from itertools import count
from typing import Any, Final, TypeVar

import httpx
import numpy as np
import pytest
import sqlalchemy as sa

from services.symbol_analytics.fan_out import fan_out_symbols
from services.symbol_analytics.handlers.analyse_symbols import analyse_symbols
from services.symbol_analytics.handlers.store_fundamentals import store_fundamentals
from services.symbol_analytics.handlers.store_profiles import store_profiles
from services.symbol_analytics.main import build
from shared.arrays import FloatArray
from shared.bus.fan_in import FanIn
from shared.calendar import sessions_between, shift_session
from shared.clock import FixedClock
from shared.contracts.event import Event, Failure
from shared.contracts.market_data import (
    FundamentalsUpdated,
    PriceBlock,
    PricesUpdated,
    Profile,
    ProfilesUpdated,
    Statement,
)
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored, SymbolsMeasured
from shared.factor_set import FactorSet
from shared.paths import API
from shared.prices.panel import PricePanel
from shared.prices.store_prices import store_prices
from shared.service import Service, build_app
from shared.unavailable import Reason, nullable
from tests.integration.conftest import MakeServiceDatabase
from tests.support.databases import OPERATOR_TOKEN
from tests.support.outbox import EVENTS_OF_RUN, event_of
from tests.support.runs import SESSION

E = TypeVar("E", bound=Event)

NOW: Final = datetime(2025, 3, 15, tzinfo=UTC)
SESSIONS: Final = 266
FACTOR_SET: Final = FactorSet(
    value="VAL", growth=None, momentum="MOM", quality=None, size=None, low_volatility=None, market="MKT", rate=None
)
_numbers = count(1)


def new_symbols(how_many: int) -> tuple[str, ...]:
    """Return symbols that no other test uses, in the order of their names."""
    return tuple(f"S{next(_numbers):06d}" for _ in range(how_many))


def walk(seed: int, sessions: int = SESSIONS) -> FloatArray:
    """Return a walk of prices."""
    steps = np.random.default_rng(seed).normal(0.0, 0.02, sessions)
    closes: FloatArray = np.asarray(100.0 * np.cumprod(1.0 + steps), dtype=np.float64)
    return closes


def proxies() -> dict[str, FloatArray]:
    """Return the closes of the factor set."""
    return {ticker: walk(1000 + index) for index, ticker in enumerate(FACTOR_SET.tickers())}


def priced(run: Run, closes: Mapping[str, FloatArray], *, missing: Sequence[str] = ()) -> PricesUpdated:
    """Return prices that end at the run's last session, the proxies among them; `missing` have none."""
    series = {**proxies(), **closes}
    length = len(next(iter(series.values())))
    sessions = sessions_between(shift_session(run.last_session, 1 - length), run.last_session)
    rows = tuple(tuple(nullable(prices)) for prices in series.values())
    block = PriceBlock(sessions=tuple(sessions), symbols=tuple(series), close=rows, adjusted=rows)
    failures = tuple(Failure(subject=name, reason=Reason.MISSING_DATA, detail="nobody has it") for name in missing)
    return PricesUpdated(run=run, part=ONLY_PART, blocks=(block,), failures=failures)


def profiled(betas: Mapping[str, float]) -> tuple[Profile, ...]:
    """Return profiles with these betas."""
    return tuple(
        Profile(symbol=symbol, beta=beta, beta_as_of=SESSION, source="test", fetched_at=NOW)
        for symbol, beta in betas.items()
    )


@dataclass(slots=True)
class Analytics:
    """The handlers of symbol_analytics on a database, without a broker: what is announced stays in the outbox."""

    service: Service
    panel: PricePanel
    fan_in: FanIn
    client: httpx.AsyncClient

    async def analyse(
        self, prices: PricesUpdated, profiles: Sequence[Profile] = (), statements: Sequence[Statement] = ()
    ) -> None:
        """Deliver the prices, profiles and statements of a run, and the shards that follow from them."""
        run = prices.run
        profiles_updated = ProfilesUpdated(run=run, part=ONLY_PART, profiles=tuple(profiles))
        fundamentals_updated = FundamentalsUpdated(run=run, part=ONLY_PART, statements=tuple(statements))
        async with self.service.unit_of_work() as uow:
            await store_prices(prices, uow, fan_in=self.fan_in)
        async with self.service.unit_of_work() as uow:
            await store_profiles(profiles_updated, uow, fan_in=self.fan_in)
        async with self.service.unit_of_work() as uow:
            await store_fundamentals(fundamentals_updated, uow, fan_in=self.fan_in)
        for due in await self.announced(SymbolAnalyticsDue, run):
            async with self.service.unit_of_work() as uow:
                await analyse_symbols(due, uow, panel=self.panel, factor_set=FACTOR_SET)

    async def announced(self, event_type: type[E], run: Run) -> list[E]:
        """Return the events of a run in the outbox."""
        query = EVENTS_OF_RUN
        rows = await self.rows(query, topic=event_type.topic, run_id=run.run_id)
        return [event_of(event_type, row) for row in rows]

    async def results(self, run: Run) -> tuple[SymbolsFactored, SymbolsMeasured]:
        """Return what a run of one shard has announced."""
        (factored,) = await self.announced(SymbolsFactored, run)
        (measured,) = await self.announced(SymbolsMeasured, run)
        return factored, measured

    async def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Read."""
        async with self.service.unit_of_work.reading() as connection:
            return list((await connection.execute(sa.text(query), parameters)).all())

    async def revisions(self, symbols: Sequence[str], table: str) -> dict[str, int]:
        """Return the newest revision of each symbol in a table."""
        query = f"SELECT symbol, max(revision) AS newest FROM {table} WHERE symbol = ANY(:symbols) GROUP BY symbol"
        return {row.symbol: row.newest for row in await self.rows(query, symbols=list(symbols))}

    async def shown(self, symbol: str, as_of: date, **query: Any) -> Any:
        """Return what the API shows of a symbol."""
        answer = await self.client.get(f"/symbols/{symbol}", params={"as_of": str(as_of), **query})
        return answer.raise_for_status().json()


@pytest.fixture(scope="module")
async def analytics(service_database: MakeServiceDatabase) -> AsyncIterator[Analytics]:
    database = await service_database("symbol_analytics")
    service = build(database.common, clock=FixedClock(NOW))
    streams = (PricesUpdated.topic, ProfilesUpdated.topic, FundamentalsUpdated.topic)
    transport = httpx.ASGITransport(app=build_app([service], database.common, title="symbol_analytics"))
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://analytics{API}", headers=headers) as client:
        fan_in = FanIn("inputs", streams=streams, fan_out=partial(fan_out_symbols, factor_set=FACTOR_SET))
        yield Analytics(service, PricePanel(service.engine), fan_in, client)
    await service.engine.dispose()
