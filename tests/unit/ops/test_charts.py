import pytest
from rich.bar import Bar
from rich.console import Console

from services.ops.client.charts import bar, largest_of, line_chart, waterfall


def _drawn(renderable: object) -> str:
    console = Console(width=140)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_line_chart_shows_title_ends_and_extremes() -> None:
    drawn = _drawn(line_chart("equity", ["2022-12-01", "2022-12-02", "2022-12-05"], [10.0, 30.0, 20.0]))

    assert "equity" in drawn
    assert "2022-12-01" in drawn
    assert "2022-12-05" in drawn
    assert "30.0" in drawn
    assert "10.0" in drawn


def test_line_chart_without_two_values_is_none() -> None:
    assert line_chart("equity", ["2022-12-01", "2022-12-02"], [10.0, None]) is None


def test_line_chart_leaves_out_days_without_a_value() -> None:
    drawn = _drawn(line_chart("index", ["2022-12-01", "2022-12-02", "2022-12-05"], [1.0, None, 2.0]))

    assert "None" not in drawn
    assert "2.0" in drawn


@pytest.mark.parametrize(("value", "span"), [(2.0, (2.0, 4.0)), (-1.0, (1.0, 2.0)), (0.0, (2.0, 2.0))])
def test_bar_starts_in_the_middle_and_goes_the_way_of_its_sign(value: float, span: tuple[float, float]) -> None:
    drawn = bar(value, largest=2.0)

    assert isinstance(drawn, Bar)
    assert (drawn.begin, drawn.end, drawn.size) == (*span, 4.0)


def test_bar_of_nothing_is_empty() -> None:
    assert bar(None, largest=2.0) == ""
    assert bar(0.0, largest=0.0) == ""


def test_waterfall_goes_on_where_the_step_before_has_ended() -> None:
    drawn = waterfall([-3.0, 1.0, None, 4.0])

    bars = [step for step in drawn if isinstance(step, Bar)]
    assert [(step.begin, step.end, step.size) for step in bars] == [(0.0, 3.0, 5.0), (0.0, 1.0, 5.0), (1.0, 5.0, 5.0)]
    assert [str(step.style).split()[0] for step in bars] == ["red", "green", "green"]
    assert drawn[2] == ""


def test_waterfall_of_nothing_has_no_steps() -> None:
    assert waterfall([]) == []
    assert waterfall([0.0, None]) == ["", ""]


def test_largest_of_ignores_what_is_missing() -> None:
    assert largest_of([1.0, None, -3.0]) == 3.0
    assert largest_of([None]) == 0.0
