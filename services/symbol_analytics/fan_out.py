"""When the inputs of a run are in: its symbols, cut into shards."""

from collections.abc import Sequence

from shared.bus.fan_in import ArrivedPart, failures_of
from shared.calendar import sessions_between
from shared.contracts.run import Part, Run
from shared.contracts.symbol_analytics import SymbolAnalyticsDue
from shared.db.unit_of_work import UnitOfWork

SHARD_CELLS = 2_000  # symbols x sessions: some 26,000 estimates, well under a second of work and 1 MB of event
SHARD_SYMBOLS = 500


async def fan_out_symbols(run: Run, parts: Sequence[ArrivedPart], uow: UnitOfWork) -> None:
    """Hand out the symbols that arrived; without any, one empty shard, so that the run can end."""
    symbols = sorted({symbol for part in parts for symbol in part.subjects})
    sessions = len(sessions_between(run.first_session, run.last_session))
    size = max(1, min(SHARD_SYMBOLS, SHARD_CELLS // max(sessions, 1)))
    shards = [tuple(symbols[start : start + size]) for start in range(0, len(symbols), size)] or [()]
    uow.emit(
        *(
            SymbolAnalyticsDue(
                run=run,
                part=Part(index=index, total=len(shards)),
                subjects=len(shard),
                failures=failures_of(parts) if index == 0 else (),
                symbols=shard,
            )
            for index, shard in enumerate(shards)
        )
    )
