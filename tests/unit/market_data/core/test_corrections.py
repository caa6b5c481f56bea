"""Where a history is no longer what was announced of it."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.adjustment import total_return_adjusted
from services.market_data.core.bars import Bars
from services.market_data.core.corrections import CorrectedSpan, corrected_spans
from shared.arrays import DateArray, FloatArray
from shared.calendar import sessions_between

SESSIONS: DateArray = np.array(sessions_between(date(2024, 3, 4), date(2024, 3, 15)), dtype="datetime64[D]")  # 10
DAYS: list[date] = SESSIONS.tolist()
LAST = len(DAYS) - 1
LONG_AGO = date(2024, 1, 2)  # a run that began before everything here


def bars(*closes: list[float], split: FloatArray | None = None, dividend: FloatArray | None = None) -> Bars:
    """Return bars of as many symbols, adjusted as the provider would."""
    close = np.array(closes, dtype=np.float64).T
    split = np.ones_like(close) if split is None else split
    dividend = np.zeros_like(close) if dividend is None else dividend
    names = tuple(f"S{index}" for index in range(len(closes)))
    adjusted = total_return_adjusted(close, split, dividend)
    blank = Bars.blank(SESSIONS, names)
    return replace(blank, close=close, adjusted=adjusted, split=split, dividend=dividend)


def rising(*, known: int = len(DAYS)) -> list[float]:
    """Return closes of which only the first are known."""
    return [100.0 + index if index < known else np.nan for index in range(len(DAYS))]


def cell(value: float, at: int, *, blank: float) -> FloatArray:
    grid = np.full((len(DAYS), 1), blank)
    grid[at] = value
    return grid


def spans(stored: Bars, fetched: Bars, *, before: date = LONG_AGO) -> list[tuple[date, date]]:
    return [(span.first_session, span.last_session) for span in corrected_spans(stored, fetched, before=before)]


def test_corrected_spans_of_the_same_history_are_none() -> None:
    assert spans(bars(rising()), bars(rising())) == []


def test_corrected_close_spans_its_session_and_the_return_that_follows() -> None:
    changed = rising()
    changed[4] += 1.0

    assert spans(bars(rising()), bars(changed)) == [(DAYS[4], DAYS[5])]


@pytest.mark.parametrize("action", ["split", "dividend"])
def test_action_of_a_session_that_is_stored_corrects_that_session(action: str) -> None:
    grid = cell(2.0, 6, blank=1.0) if action == "split" else cell(1.5, 6, blank=0.0)

    assert spans(bars(rising()), bars(rising(), **{action: grid})) == [(DAYS[6], DAYS[6])]


@pytest.mark.parametrize("action", ["split", "dividend"])
def test_action_of_a_new_session_rescales_the_history_and_corrects_nothing(action: str) -> None:
    grid = cell(2.0, LAST, blank=1.0) if action == "split" else cell(1.5, LAST, blank=0.0)
    fetched = bars(rising(), **{action: grid})
    stored = bars(rising(known=LAST))

    assert abs(fetched.adjusted[0, 0] / stored.adjusted[0, 0] - 1.0) > 0.01, "the history is rescaled"
    assert spans(stored, fetched) == []


@pytest.mark.parametrize("field", ["split", "dividend"])
def test_action_that_the_adjusted_closes_hardly_show_is_a_correction(field: str) -> None:
    fetched = bars(rising())
    getattr(fetched, field)[6] += 1e-4

    assert spans(bars(rising()), fetched) == [(DAYS[6], DAYS[6])]


def test_withdrawn_dividend_corrects_its_session() -> None:
    assert spans(bars(rising(), dividend=cell(1.5, 3, blank=0.0)), bars(rising())) == [(DAYS[3], DAYS[3])]


def test_total_return_that_a_provider_restates_without_a_close_is_a_correction() -> None:
    fetched = bars(rising())
    fetched.adjusted[:5] *= 0.999

    assert spans(bars(rising()), fetched) == [(DAYS[5], DAYS[5])]


def test_rounding_of_the_adjusted_closes_is_no_correction() -> None:
    fetched = bars(rising())
    noise = np.random.default_rng(3).uniform(-4e-6, 4e-6, fetched.adjusted.shape)

    assert spans(bars(rising()), replace(fetched, adjusted=fetched.adjusted * (1.0 + noise))) == []


def test_bar_that_fills_a_hole_is_a_correction() -> None:
    stored = rising()
    stored[2] = np.nan

    assert spans(bars(stored), bars(rising())) == [(DAYS[2], DAYS[2])]


def test_bar_that_comes_after_its_session_was_run_is_a_correction() -> None:
    late, newest = DAYS[-2], DAYS[-1]

    assert spans(bars(rising(known=LAST - 1)), bars(rising()), before=newest) == [(late, late)]


def test_bars_of_the_run_s_own_sessions_are_new_and_no_correction() -> None:
    assert spans(bars(rising(known=LAST - 1)), bars(rising()), before=DAYS[-2]) == []


def test_history_of_a_symbol_that_was_never_stored_is_no_correction() -> None:
    assert spans(bars(rising(known=0)), bars(rising()), before=date(2024, 4, 1)) == []


def test_history_that_begins_earlier_now_is_no_correction() -> None:
    stored = rising()
    stored[:3] = [np.nan] * 3

    assert spans(bars(stored), bars(rising()), before=date(2024, 4, 1)) == []


def test_bar_that_a_provider_no_longer_has_changes_nothing() -> None:
    fetched = rising()
    fetched[5] = np.nan

    assert spans(bars(rising()), bars(fetched)) == []


def test_corrections_of_several_sessions_span_from_the_first_to_the_last() -> None:
    changed = rising()
    changed[1] += 1.0
    changed[7] += 1.0
    calm = rising()

    found = corrected_spans(bars(calm, rising()), bars(calm, changed), before=LONG_AGO)

    assert found == (CorrectedSpan("S1", DAYS[1], DAYS[8]),)


CLOSES = st.lists(st.floats(1.0, 500.0), min_size=len(DAYS), max_size=len(DAYS))
HISTORIES = st.lists(CLOSES, min_size=1, max_size=4)


@given(HISTORIES, st.data())
def test_history_that_is_stored_as_fetched_is_corrected_once(histories: list[list[float]], data: st.DataObject) -> None:
    stored = bars(*histories)
    changed = [list(closes) for closes in histories]
    for closes in changed:
        closes[data.draw(st.integers(0, LAST))] *= data.draw(st.floats(1.001, 2.0))
    fetched = bars(*changed)

    assert len(corrected_spans(stored, fetched, before=LONG_AGO)) == len(histories)
    assert corrected_spans(fetched, fetched, before=LONG_AGO) == ()


@given(CLOSES, st.integers(1, LAST), st.sampled_from([0.1, 0.5, 2.0, 4.0]), st.floats(0.0, 0.5))
def test_history_before_a_new_action_is_never_corrected(
    closes: list[float], at: int, split: float, dividend: float
) -> None:
    grown = closes[:at] + [close / split for close in closes[at:]]
    fetched = bars(
        grown, split=cell(split, at, blank=1.0), dividend=cell(dividend * min(closes) / split, at, blank=0.0)
    )
    stored = bars([*closes[:at], *[np.nan] * (len(closes) - at)])

    assert spans(stored, fetched) == []


@given(HISTORIES, st.data())
def test_correction_of_a_symbol_depends_neither_on_the_others_nor_on_their_order(
    histories: list[list[float]], data: st.DataObject
) -> None:
    changed = [list(closes) for closes in histories]
    changed[0][data.draw(st.integers(0, LAST))] += 1.0
    stored, fetched = bars(*histories), bars(*changed)
    order = data.draw(st.permutations(stored.symbols))

    together = corrected_spans(stored, fetched.select(order), before=LONG_AGO)
    alone = corrected_spans(stored, fetched.select(["S0"]), before=LONG_AGO)

    assert together == alone
    assert [span.symbol for span in together] == ["S0"]
