"""Defects of the predecessor's collection of market data (its specification, section 4), each shown to be none here."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from services.market_data.core.run_plan import NOTHING_TO_FETCH, Mode, RunPlan, SettledSessions, plan_symbols
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.provider import FetchedBars, ProviderError
from services.market_data.providers.sample import SampleProvider
from shared.calendar import sessions_between
from tests.unit.market_data.providers.directories import FIRST, GOOD, LAST, check, write

WINDOW = np.array(sessions_between(date(2023, 1, 3), date(2024, 3, 15)), dtype="datetime64[D]")
COUNT = len(WINDOW)


def plan(**missing: Sequence[int]) -> RunPlan:
    """Return the plan for symbols that lack these sessions."""
    stored = np.ones((len(missing), COUNT), dtype=bool)
    for row, columns in enumerate(missing.values()):
        stored[row, list(columns)] = False
    return plan_symbols(list(missing), WINDOW, stored, SettledSessions.never(len(missing)))


def asked_for(planned: RunPlan) -> dict[str, list[int]]:
    """Return the sessions to ask for, per symbol."""
    return {s: np.flatnonzero(row).tolist() for s, row in zip(planned.symbols, planned.missing, strict=True)}


class Broken(SampleProvider):
    """A provider that is down."""

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        raise ProviderError("down")


async def test_defect_e41_fallback_that_never_worked_answers_when_the_first_provider_is_down() -> None:
    fetched = await ProviderChain([Broken(), SampleProvider()]).fetch_bars(["KO"], FIRST, LAST, check)

    assert [answer.bars.symbols for answer in fetched.answers] == [("KO",)]


async def test_defect_e41_adjusted_and_unadjusted_closes_of_two_providers_never_meet_in_a_series(
    tmp_path: Path,
) -> None:
    write(tmp_path, GOOD)  # as-traded closes of two sessions; the sample has adjusted ones of the whole month

    fetched = await ProviderChain([FilesProvider(tmp_path), SampleProvider()]).fetch_bars(["KO"], FIRST, LAST, check)

    (answer,) = fetched.answers
    closes = answer.bars.close[answer.bars.present]
    assert (answer.provider, closes.tolist()) == ("files", [62.5, 62.9])


async def test_defect_e42_symbol_that_no_provider_knows_is_not_taken_for_a_valid_one(tmp_path: Path) -> None:
    write(tmp_path, GOOD)

    fetched = await ProviderChain([FilesProvider(tmp_path), SampleProvider()]).fetch_bars(["XYZ"], FIRST, LAST, check)

    assert fetched.attempts.unavailable.keys() == {"XYZ"}


def test_defect_e44_session_missing_of_one_symbol_is_fetched_though_others_have_it() -> None:
    assert asked_for(plan(HAS=[], LACKS=[COUNT - 1])) == {"HAS": [], "LACKS": [COUNT - 1]}


def test_defect_e44_symbol_with_a_part_of_its_history_gets_the_older_part() -> None:
    partial = plan(PARTIAL=range(COUNT - 100))

    assert partial.modes == (Mode.BACKFILL,)
    assert asked_for(partial) == {"PARTIAL": [*range(COUNT - 100)]}


def test_defect_e44_hole_before_the_newest_session_of_any_symbol_is_filled() -> None:
    assert asked_for(plan(FULL=[], HOLES=[50, 200])) == {"FULL": [], "HOLES": [50, 200]}


def test_defect_e44_new_ticker_does_not_fetch_everybody_s_year_again() -> None:
    planned = plan(NEW=range(COUNT), OLD=[COUNT - 1], STORED=[])

    assert planned.symbols == ("NEW", "OLD", "STORED")
    assert planned.modes == (Mode.BACKFILL, Mode.INCREMENTAL, Mode.NOTHING)
    assert planned.fetch_from.tolist() == [0, COUNT - 2, NOTHING_TO_FETCH]


def test_defect_e44_delisted_symbol_is_not_asked_for_on_every_date_and_run() -> None:
    delisted = np.ones((1, COUNT), dtype=bool)
    delisted[0, -25:] = False

    settled = plan_symbols(["SQ"], WINDOW, delisted, SettledSessions(WINDOW[[0]], WINDOW[[COUNT - 2]]))

    assert settled.modes == (Mode.NOTHING,)
