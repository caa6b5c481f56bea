from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

from services.risk.core.active_share import Constituents
from services.risk.storage.repository import RiskRepository
from services.risk.storage.symbol_betas import NOT_ANNOUNCED, symbol_betas
from services.risk.storage.universe_repository import UniverseRepository
from shared.calendar import shift_session
from shared.contracts.market_data import ConstituentList, ProfilesUpdated
from shared.contracts.run import ONLY_PART
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.conventions import FACTORS, MARKET_BETA, SYMBOL_COLUMNS
from shared.unavailable import Quantities, Reason, Unavailable
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import NO_BETA, book, factored, new_symbols, profiled, valued
from tests.support.runs import SESSION, make_run

MARKET = FACTORS.index(MARKET_BETA)


async def load_betas(risk: Risk, *symbols: str) -> Quantities:
    async with risk.service.unit_of_work.reading() as connection:
        return (await RiskRepository(connection).load_betas({SESSION: symbols}))[SESSION]


async def test_betas_are_loaded_as_they_were_announced(risk: Risk) -> None:
    known, short, absent = new_symbols(3)

    await risk.deliver(factored(make_run(), {known: 1.2, short: None}))

    betas = await load_betas(risk, absent, short, known)
    assert betas.at((2, MARKET)) == 1.2
    assert betas.at((1, MARKET)) == Unavailable(Reason.INSUFFICIENT_HISTORY, NO_BETA)
    assert betas.at((1, 0)) == 0.5
    assert betas.at((0, MARKET)) == Unavailable(Reason.MISSING_DATA, f"no betas as of {SESSION}")
    assert (np.isnan(betas.values) == betas.unavailable.astype(bool)).all()


async def test_betas_of_a_later_run_replace_those_of_the_session(risk: Risk) -> None:
    (symbol,) = new_symbols(1)

    await risk.deliver(factored(make_run(), {symbol: None}), factored(make_run(), {symbol: 0.9}))
    await risk.deliver(factored(make_run(), {symbol: 3.0}, as_of=shift_session(SESSION, 1)))

    assert (await load_betas(risk, symbol)).at((0, MARKET)) == 0.9


def test_betas_announced_in_other_columns_are_aligned_with_the_factors() -> None:
    event = SymbolsFactored(
        run=make_run(),
        part={"index": 0, "total": 1},
        as_ofs=(SESSION,),
        symbols=("A",),
        columns=("of the future", MARKET_BETA, FACTORS[0]),
        values=(((9.0, 1.2, None),),),
    )

    (found,) = symbol_betas(event)
    as_of, betas = found.as_of, found.betas

    assert as_of == SESSION
    assert betas.at((0, MARKET)) == 1.2
    assert betas.at((0, 0)) == NOT_ANNOUNCED
    assert betas.values.shape == (1, len(SYMBOL_COLUMNS))
    assert np.isnan(betas.values).sum() == len(SYMBOL_COLUMNS) - 1


async def test_row_that_was_stored_before_there_were_loadings_has_none(risk: Risk) -> None:
    old, new = new_symbols(2)
    await risk.deliver(factored(make_run(), {old: 1.1, new: 1.2}))
    async with risk.service.engine.begin() as connection:
        shorter = ", ".join(f"{name} = {name}[:{len(FACTORS)}]" for name in ("betas", "reasons", "details"))
        await connection.exec_driver_sql(f"UPDATE betas SET {shorter} WHERE symbol = '{old}'")

    betas = await load_betas(risk, old, new)

    assert [betas.at((symbol, MARKET)) for symbol in (0, 1)] == [1.1, 1.2]
    loading = SYMBOL_COLUMNS.index("loading_market")
    assert betas.at((0, loading)) == Unavailable(Reason.MISSING_DATA, f"no loadings as of {SESSION}")
    assert betas.at((1, loading)) == 0.5


def listed(as_of: date, weights: dict[str, float], *, at: int) -> ProfilesUpdated:
    """Return profiles that bring a list of constituents, loaded at an hour."""
    found = ConstituentList(
        universe="IX",
        as_of=as_of,
        loaded_at=datetime(2025, 3, 14, at, tzinfo=UTC),
        symbols=tuple(weights),
        weights=tuple(weights.values()),
    )
    return ProfilesUpdated(run=make_run(), part=ONLY_PART, constituents=(found,))


async def test_index_is_the_newest_list_up_to_a_session_and_of_a_day_the_one_loaded_last(risk: Risk) -> None:
    first, second = SESSION - timedelta(days=30), SESSION - timedelta(days=1)
    late, early = listed(first, {"A": 0.5, "B": 0.5}, at=12), listed(first, {"A": 1.0}, at=11)

    # The one that was loaded earlier comes later: a replay.
    await risk.deliver(late, listed(second, {"C": 1.0}, at=9), early)

    async with risk.service.unit_of_work.reading() as connection:
        repository = UniverseRepository(connection)
        found = [await repository.find_constituents("IX", day) for day in (first, SESSION)]
        before = await repository.find_constituents("IX", first - timedelta(days=1))
    assert found == [Constituents("IX", first, {"A": 0.5, "B": 0.5}), Constituents("IX", second, {"C": 1.0})]
    assert before is None


@pytest.mark.parametrize(
    ("sector", "is_fund", "reported"),
    [
        ("Technology", False, "Technology"),
        ("Financial Services", False, "Financials"),
        (None, False, "Unclassified"),
        ("Technology", True, "ETFs"),
    ],
)
async def test_sector_of_a_profile_is_reported_by_its_gics_name(
    risk: Risk, sector: str | None, is_fund: bool, reported: str
) -> None:
    symbol, unknown = new_symbols(2)

    await risk.deliver(profiled(make_run(), {symbol: sector}, funds=[symbol] if is_fund else []))

    async with risk.service.unit_of_work.reading() as connection:
        assert await RiskRepository(connection).load_sectors([unknown, symbol]) == ("Unclassified", reported)


@pytest.mark.parametrize(("exposure", "equity"), [(1e13, "1.00"), (-1e13, "1.00"), (1.0, "1e13"), (1.0, "-1e13")])
async def test_book_of_amounts_whose_cents_could_overflow_is_refused(risk: Risk, exposure: float, equity: str) -> None:
    (symbol,) = new_symbols(1)

    with pytest.raises(IntegrityError):
        await risk.deliver(valued(make_run(), book(uuid4(), {symbol: exposure}, equity=equity)))
