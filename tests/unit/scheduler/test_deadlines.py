"""Which stages of a run are overdue at a time: those of symbols from its start, those of portfolios from their end."""

from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.core.deadlines import PORTFOLIO_STAGES, Deadlines, overdue_stages
from services.scheduler.core.ledger import STAGES, StageTally, tally

START = datetime(2025, 3, 14, 21, 0, tzinfo=UTC)
DEADLINES = Deadlines(symbols=timedelta(seconds=1500), portfolios=timedelta(seconds=900))
SYMBOL_STAGES = [stage for stage in STAGES if stage not in PORTFOLIO_STAGES]


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def _complete(stage: str, last: float) -> StageTally:
    return StageTally(stage, 1, 1, last_at=_at(last))


def _open(stage: str, *, closed: float | None = None) -> StageTally:
    return StageTally(stage, 1, 2, last_at=_at(1.0), closed_at=None if closed is None else _at(closed))


def _overdue(arrived: list[StageTally], *, at: float, counts_from: float = 0.0) -> list[str]:
    overdue = overdue_stages(tally(arrived), DEADLINES, counts_from=_at(counts_from), now=_at(at))
    return [entry.stage for entry in overdue]


@pytest.mark.parametrize("missing", SYMBOL_STAGES)
def test_symbol_stage_is_overdue_when_its_time_from_the_start_of_the_run_is_up(missing: str) -> None:
    arrived = [_open(missing), *(_complete(stage, 20.0) for stage in SYMBOL_STAGES if stage != missing)]
    assert _overdue(arrived, at=1499.9) == []
    assert _overdue(arrived, at=1500.0) == [missing]


def test_run_of_which_nothing_has_arrived_has_all_of_its_symbol_stages_overdue() -> None:
    assert _overdue([], at=1500.0) == SYMBOL_STAGES


@pytest.mark.parametrize("missing", sorted(PORTFOLIO_STAGES))
def test_portfolio_stage_is_overdue_when_its_time_from_the_end_of_the_last_symbol_stage_is_up(missing: str) -> None:
    (other,) = PORTFOLIO_STAGES - {missing}
    ends = dict.fromkeys(SYMBOL_STAGES, 20.0) | {"symbols.measured": 700.0}
    arrived = [_open(missing), _complete(other, 30.0), *(_complete(stage, end) for stage, end in ends.items())]
    assert _overdue(arrived, at=1599.9) == []
    assert _overdue(arrived, at=1600.0) == [missing]


def test_portfolio_stages_have_their_whole_time_after_a_symbol_stage_was_closed() -> None:
    arrived = [_open("prices.updated", closed=1503.0)]
    arrived += [_complete(stage, 20.0) for stage in SYMBOL_STAGES if stage != "prices.updated"]
    assert _overdue(arrived, at=2402.9) == []
    assert _overdue(arrived, at=2403.0) == ["portfolios.valued", "portfolios.assessed"]


def test_portfolio_stage_is_not_overdue_while_it_may_wait_for_symbols() -> None:
    arrived = [_open("symbols.factored"), *(_complete(stage, 1.0) for stage in SYMBOL_STAGES[:3])]
    assert "portfolios.valued" not in _overdue(arrived, at=10_000.0)


def test_time_counts_anew_from_a_start_of_the_scheduler() -> None:
    symbols_done = [_complete(stage, 20.0) for stage in SYMBOL_STAGES]
    assert _overdue([], at=2499.9, counts_from=1000.0) == []
    assert _overdue([], at=2500.0, counts_from=1000.0) == SYMBOL_STAGES
    assert _overdue(symbols_done, at=1899.9, counts_from=1000.0) == []
    assert _overdue(symbols_done, at=1900.0, counts_from=1000.0) == ["portfolios.valued", "portfolios.assessed"]


def test_nothing_is_overdue_before_the_run_is_as_old_as_the_shortest_deadline() -> None:
    for arrived in ([], [_complete(stage, 0.0) for stage in SYMBOL_STAGES]):
        assert _overdue(arrived, at=DEADLINES.shortest.total_seconds() - 0.1) == []


def test_stages_that_have_ended_are_never_overdue() -> None:
    arrived = [_complete(stage, 20.0) for stage in STAGES if stage != "symbols.factored"]
    assert _overdue([*arrived, _open("symbols.factored", closed=1500.0)], at=1e6) == []
