from datetime import date

import numpy as np
import pytest

from services.market_data.core.bars import Bars
from tests.unit.market_data.core.rows import DAYS, SESSIONS


def bars(symbols: tuple[str, ...], closes: list[list[float]], *, start: int = 0) -> Bars:
    grid = Bars.blank(SESSIONS[start : start + len(closes)], symbols)
    grid.close[:] = closes
    grid.adjusted[:] = closes
    return grid


def test_select_returns_the_columns_in_the_order_asked_for() -> None:
    assert bars(("A", "B"), [[1, 2]]).select(["B", "A"]).close.tolist() == [[2, 1]]


def test_select_with_an_unknown_symbol_raises() -> None:
    with pytest.raises(KeyError):
        bars(("A",), [[1]]).select(["B"])


def test_between_returns_the_sessions_inclusive() -> None:
    assert bars(("A",), [[1], [2], [3]]).between(DAYS[1], DAYS[2]).close[:, 0].tolist() == [2, 3]
    assert len(bars(("A",), [[1]]).between(date(2020, 1, 1), date(2020, 2, 1)).sessions) == 0


def test_merge_takes_the_whole_newer_bar_where_both_have_one() -> None:
    older = bars(("B", "A"), [[1, 2], [3, 4]])
    older.split[1, 1] = 2.0
    newer = bars(("A", "C"), [[40, 5], [np.nan, 6]], start=1)

    merged = older.merge(newer)

    assert merged.symbols == ("A", "B", "C")
    expected = np.array([[2, 1, np.nan], [40, 3, 5], [np.nan, np.nan, 6]], dtype=np.float64)
    assert np.array_equal(merged.close, expected, equal_nan=True)
    assert merged.split[1, 0] == 1.0


def test_merge_of_disjoint_parts_does_not_depend_on_their_order() -> None:
    one, two = bars(("A",), [[1], [2]]), bars(("B",), [[3]], start=2)

    assert one.merge(two).equals(two.merge(one))


def test_bars_with_shapes_or_sessions_out_of_order_are_refused() -> None:
    good = bars(("A",), [[1], [2]])
    columns = {name: getattr(good, name) for name in ("adjusted", "open", "high", "low", "volume", "split", "dividend")}

    with pytest.raises(ValueError, match="close must have shape"):
        Bars(good.sessions, good.symbols, close=good.close[:1], **columns)
    with pytest.raises(ValueError, match="ascending"):
        Bars(good.sessions[::-1], good.symbols, close=good.close, **columns)
    with pytest.raises(ValueError, match="distinct"):
        Bars.blank(SESSIONS, ("A", "A"))
