"""A corrected price is computed with again wherever it was seen, and nowhere else."""

from collections.abc import Mapping
from datetime import date

from services.symbol_analytics.fan_out import SHARD_CELLS
from services.symbol_analytics.storage.inputs import SESSIONS_NEEDED
from shared.arrays import FloatArray
from shared.calendar import sessions_between, shift_session
from shared.contracts.market_data import Correction, PricesUpdated
from shared.contracts.run import Run
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored, SymbolsMeasured
from tests.integration.symbol_analytics.conftest import FACTOR_SET, Analytics, new_symbols, priced, proxies, walk
from tests.support.runs import SESSION, make_run

TABLES = ("symbol_estimates", "symbol_metrics")
WEEK = sessions_between(shift_session(SESSION, -4), SESSION)
LATER = shift_session(SESSION, 3)
LENGTH = 280


def run_over(first: date, last: date, *symbols: str) -> Run:
    return make_run(first_session=first, last_session=last, symbols=symbols)


def prices_of(run: Run, closes: Mapping[str, FloatArray], *corrected: tuple[str, date]) -> PricesUpdated:
    """Return prices that end at the run's last session, the proxies among them, and what is said to be corrected."""
    length = LENGTH - len(sessions_between(run.last_session, LATER)) + 1
    known = {ticker: walk(1000 + index, LENGTH) for index, ticker in enumerate(FACTOR_SET.tickers())} | dict(closes)
    event = priced(run, {symbol: prices[:length] for symbol, prices in known.items()})
    corrections = tuple(Correction(symbol=symbol, first_session=session) for symbol, session in corrected)
    return event.model_copy(update={"corrections": corrections})


async def revisions(analytics: Analytics, symbol: str, table: str = "symbol_metrics") -> dict[date, int]:
    query = f"SELECT as_of, max(revision) AS newest FROM {table} WHERE symbol = :symbol GROUP BY as_of"
    return {row.as_of: row.newest for row in await analytics.rows(query, symbol=symbol)}


def at(session: date) -> int:
    """Return the position of a session in the closes."""
    return LENGTH - len(sessions_between(session, LATER))


async def nights(analytics: Analytics, closes: Mapping[str, FloatArray]) -> None:
    """Analyse the week, and a session three days later."""
    await analytics.analyse(prices_of(run_over(WEEK[0], WEEK[-1], *closes), closes))
    await analytics.analyse(prices_of(run_over(LATER, LATER, *closes), closes))


async def test_corrected_price_revises_the_stored_results_from_its_session_on_also_after_the_run(
    analytics: Analytics,
) -> None:
    wrong, calm = new_symbols(2)
    closes = {wrong: walk(1, LENGTH), calm: walk(2, LENGTH)}
    await nights(analytics, closes)
    closes[wrong] = closes[wrong].copy()
    closes[wrong][at(WEEK[2])] *= 1.01

    await analytics.analyse(prices_of(run_over(WEEK[2], WEEK[2], wrong), closes, (wrong, WEEK[2])))

    expected = dict.fromkeys(WEEK[:2], 1) | dict.fromkeys([*WEEK[2:], LATER], 2)
    for table in TABLES:
        assert await revisions(analytics, wrong, table) == expected
        assert set((await revisions(analytics, calm, table)).values()) == {1}


async def test_revised_numbers_are_those_of_a_history_that_was_never_wrong(analytics: Analytics) -> None:
    wrong, right = new_symbols(2)
    true = walk(3, LENGTH)
    false = true.copy()
    false[at(WEEK[1])] *= 0.98
    await nights(analytics, {wrong: false, right: true})

    await analytics.analyse(prices_of(run_over(WEEK[1], WEEK[1], wrong), {wrong: true}, (wrong, WEEK[1])))

    for as_of in (*WEEK, LATER):
        healed, never_wrong = [await analytics.shown(symbol, as_of) for symbol in (wrong, right)]
        for part in ("factors", "metrics"):
            assert healed[part][part] == never_wrong[part][part], as_of


async def test_answers_hold_until_a_correction(analytics: Analytics) -> None:
    (symbol,) = new_symbols(1)
    closes = {symbol: walk(1, LENGTH)}
    await nights(analytics, closes)
    paths = (f"/symbols/{symbol}", f"/factors?symbol={symbol}", f"/symbol-metrics?symbol={symbol}")

    async def statuses() -> list[int]:
        return [(await analytics.client.get(path, headers=having[path])).status_code for path in paths]

    having = {path: {"If-None-Match": (await analytics.client.get(path)).headers["ETag"]} for path in paths}
    assert await statuses() == [304] * len(paths)
    closes[symbol] = closes[symbol].copy()
    closes[symbol][at(WEEK[2])] *= 1.01
    await analytics.analyse(prices_of(run_over(WEEK[2], WEEK[2], symbol), closes, (symbol, WEEK[2])))
    assert await statuses() == [200] * len(paths)


async def test_corrected_proxy_revises_the_results_of_every_symbol(analytics: Analytics) -> None:
    names = new_symbols(2)
    closes = {name: walk(index, LENGTH) for index, name in enumerate(names)}
    await nights(analytics, closes)
    market = walk(1000 + FACTOR_SET.tickers().index("MKT"), LENGTH)
    market[at(WEEK[3])] *= 1.02

    await analytics.analyse(prices_of(run_over(LATER, LATER), {"MKT": market}, ("MKT", WEEK[3])))

    for name in names:
        for table in TABLES:  # the betas stand beside the metrics, too
            assert await revisions(analytics, name, table) == dict.fromkeys(WEEK[:3], 1) | dict.fromkeys(
                [*WEEK[3:], LATER], 2
            )


async def test_correction_that_changes_no_number_writes_nothing(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    closes = {name: walk(5, LENGTH)}
    await nights(analytics, closes)
    run = run_over(WEEK[0], WEEK[0], name)

    await analytics.analyse(prices_of(run, closes, (name, WEEK[0])))

    due = await analytics.announced(SymbolAnalyticsDue, run)
    assert [(shard.first_session, shard.last_session) for shard in due if name in shard.symbols] == [
        (WEEK[0], WEEK[0]),
        (WEEK[1], WEEK[-1]),
        (LATER, LATER),
    ]
    for table in TABLES:
        assert set((await revisions(analytics, name, table)).values()) == {1}


async def test_result_whose_windows_no_longer_hold_the_corrected_bar_is_left_alone(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    edge = shift_session(SESSION, SESSIONS_NEEDED - 1)
    for as_of in (edge, shift_session(edge, 1)):
        await analytics.analyse(priced(run_over(as_of, as_of, name), {name: walk(6)}))
    run = run_over(SESSION, SESSION, name)

    await analytics.analyse(prices_of(run, {name: walk(6, LENGTH)}, (name, SESSION)))

    due = await analytics.announced(SymbolAnalyticsDue, run)
    assert {shard.last_session for shard in due if name in shard.symbols} == {SESSION, edge}


async def test_correction_under_many_results_is_cut_into_shards_whose_events_stay_small(analytics: Analytics) -> None:
    names = new_symbols(60)
    first = shift_session(SESSION, -39)
    closes = {name: walk(index) for index, name in enumerate(names)}
    await analytics.analyse(priced(run_over(first, SESSION, *names), closes))
    run = run_over(SESSION, SESSION, names[0])
    wrong = closes[names[0]].copy()
    wrong[-40] *= 1.01
    proxy = proxies()["MKT"]
    proxy[-40] *= 1.01
    corrections = tuple(Correction(symbol=symbol, first_session=first) for symbol in (names[0], "MKT"))

    event = priced(run, {names[0]: wrong, "MKT": proxy})
    await analytics.analyse(event.model_copy(update={"corrections": corrections}))

    due = await analytics.announced(SymbolAnalyticsDue, run)
    assert [(shard.part.index, shard.part.total) for shard in due] == [(index, len(due)) for index in range(len(due))]
    for shard in due:
        days = sessions_between(shard.first_session or SESSION, shard.last_session or SESSION)
        assert len(days) * len(shard.symbols) <= SHARD_CELLS
    for kind in (SymbolsFactored, SymbolsMeasured):
        announced = await analytics.announced(kind, run)
        assert [event.part for event in announced] == [shard.part for shard in due]
        assert max(len(event.model_dump_json()) for event in announced) < 3_000_000
    for name in names:
        assert (await revisions(analytics, name, "symbol_estimates"))[first] == 2
