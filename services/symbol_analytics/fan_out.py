"""When the inputs of a run are in: its symbols and those that it has corrected, cut into shards."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from services.symbol_analytics.storage.inputs import SESSIONS_NEEDED
from services.symbol_analytics.storage.repository import SymbolAnalyticsRepository
from shared.bus.fan_in import ArrivedPart, failures_of
from shared.calendar import consecutive_sessions, sessions_between
from shared.contracts.run import Part, Run, Symbol
from shared.contracts.symbol_analytics import SymbolAnalyticsDue
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.corrections import load_corrections

SHARD_CELLS = 5_500  # symbols x sessions: some 330,000 numbers, a second or two of work and 2 MB of an event
SHARD_SYMBOLS = 520  # 500 and the proxies of a factor set, which would be a shard of their own
# Of several sessions: a session costs 16 ms whatever it is computed of, and two processes don't share a symbol.
LONG_SHARD_SYMBOLS = 260

Sessions = tuple[date, date]


async def fan_out_symbols(run: Run, parts: Sequence[ArrivedPart], uow: UnitOfWork, *, factor_set: FactorSet) -> None:
    """Hand out the symbols that arrived, and the stored results that their corrections touch.

    Without any symbol, one empty shard, so that the run can end.
    """
    symbols = sorted({symbol for part in parts for symbol in part.subjects})
    due: dict[Sessions, set[Symbol]] = defaultdict(set)
    due[run.first_session, run.last_session].update(symbols)
    for as_ofs, touched in await _load_touched(run, uow, symbols, factor_set):
        for sessions in consecutive_sessions(as_ofs):
            due[sessions].update(touched)
    shards = list(_shards(due)) or [((run.first_session, run.last_session), ())]
    run = run.leaving_unsaid("symbols", "portfolio_ids")
    uow.emit(
        *(
            SymbolAnalyticsDue(
                run=run,
                part=Part(index=index, total=len(shards)),
                subjects=len(shard),
                failures=failures_of(parts) if index == 0 else (),
                symbols=shard,
                first_session=first,
                last_session=last,
            )
            for index, ((first, last), shard) in enumerate(shards)
        )
    )


async def _load_touched(
    run: Run, uow: UnitOfWork, symbols: Sequence[Symbol], factor_set: FactorSet
) -> list[tuple[list[date], list[Symbol]]]:
    """Return the as_ofs to compute again beside the run's own, with the symbols that have results as of them.

    A symbol's own bars touch its results, a proxy's those of every symbol, as long as a window reaches back to them.
    """
    corrections = await load_corrections(uow.connection, run.run_id)
    if not corrections:
        return []
    proxies = factor_set.tickers()
    return await SymbolAnalyticsRepository(uow.connection).list_touched(
        [
            (None if entry.symbol in proxies else entry.symbol, entry.first_session, entry.seen_until(SESSIONS_NEEDED))
            for entry in corrections
        ],
        run=run,
        beside=symbols,
    )


def _shards(due: Mapping[Sessions, set[Symbol]]) -> Iterator[tuple[Sessions, tuple[Symbol, ...]]]:
    for sessions, symbols in sorted(due.items()):
        days, ordered = sessions_between(*sessions), sorted(symbols)
        most = SHARD_SYMBOLS if len(days) <= 1 else LONG_SHARD_SYMBOLS
        groups = [tuple(ordered[start : start + most]) for start in range(0, len(ordered), most)]
        length = SHARD_CELLS // min(most, max(len(ordered), 1))
        pieces = [days[start : start + length] for start in range(0, len(days), length)]
        for piece in pieces or [list(sessions)]:
            yield from (((piece[0], piece[-1]), group) for group in groups)
