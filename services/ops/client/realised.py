"""The table of a tear sheet: a row a quantity, a column a window."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.portfolios import Performance, Realised
from services.ops.client.rendering import number, percent

Quantity = Literal[
    "total",
    "volatility",
    "downside_deviation",
    "sharpe",
    "sortino",
    "maximum_drawdown",
    "calmar",
    "best_day",
    "worst_day",
    "best_month",
    "worst_month",
    "hit_rate",
    "skew",
    "excess_kurtosis",
]

SHARES: Final[Sequence[Quantity]] = (
    *("total", "volatility", "downside_deviation", "maximum_drawdown"),
    *("best_day", "worst_day", "best_month", "worst_month", "hit_rate"),
)
RATIOS: Final[Sequence[Quantity]] = ("sharpe", "sortino", "calmar", "skew", "excess_kurtosis")


QUANTITIES: Final[Sequence[Quantity]] = (*SHARES, *RATIOS)


def columns_of(found: Realised) -> list[str]:
    """Return the head of the table."""
    return ["", *(entry["window"] for entry in found["windows"])]


def rows_of(found: Realised) -> Iterator[list[str]]:
    """Yield the rows of the table; a reason where there is no number."""
    yield ["returns", *(str(entry["returns"]) for entry in found["windows"])]
    for name in SHARES:
        yield [name.replace("_", " "), *(percent(entry[name], digits=2) for entry in found["windows"])]
    for name in RATIOS:
        yield [name.replace("_", " "), *(_ratio(entry[name]) for entry in found["windows"])]


def _ratio(measure: Measure) -> str:
    return str(measure["reason"]) if measure["value"] is None else number(measure["value"], digits=2)


FALL_COLUMNS: Final = ("worst drawdowns", "peak", "trough", "recovery")


def fall_rows(found: Performance) -> Iterator[list[str]]:
    """Yield the deepest falls of the index, deepest first."""
    for fall in found["drawdown"]["worst"]:
        yield [f"{fall['depth']:.1%}", fall["peak"], fall["trough"], fall["recovery"] or "not yet"]
