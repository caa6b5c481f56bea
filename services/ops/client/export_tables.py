"""What can be exported: where it is, how it is paged, and the columns it becomes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from services.ops.client.exporting import Export
from services.ops.client.paging import Entry

Row = dict[str, Any]

_DAY = pa.date32()
_MOMENT = pa.timestamp("us", tz="UTC")
_MONEY = pa.decimal128(20, 2)
_MEASURE = ("value", "reason", "detail")
_PARSERS: Final[Mapping[pa.DataType, Callable[[str], object]]] = {
    _DAY: date.fromisoformat,
    _MOMENT: datetime.fromisoformat,
    _MONEY: Decimal,
}


@dataclass(frozen=True, slots=True)
class ExportedList:
    """A list of the API that can be exported.

    Attributes
    ----------
    path : str
        Where it is.
    keys : tuple of str
        The fields of the last entry of a page by which the next one is asked for, as ``after_...``.
    export : Export
        Its columns and rows.
    counted : str, optional
        The list in whose entries its pages are counted, when not in its own.
    """

    path: str
    keys: tuple[str, ...]
    export: Export
    counted: str | None = None

    def cursor(self, last: Entry) -> dict[str, Any]:
        """Return the query of the page after the one that ends with `last`."""
        return {f"after_{key}": last[key] for key in self.keys}


def _columns(names: str, kind: pa.DataType) -> list[tuple[str, pa.DataType]]:
    return [(name, kind) for name in names.split()]


def _typed(entry: Mapping[str, Any], schema: pa.Schema) -> Row:
    """Return the entry's cells by column, dates and amounts as such; what it doesn't have stays empty."""
    row: Row = {}
    for field in schema:
        cell = entry.get(field.name)
        parse = _PARSERS.get(field.type)
        row[field.name] = cell if cell is None or parse is None else parse(cell)
    return row


_SUBJECT = [*_columns("as_of", _DAY), *_columns("symbol", pa.string())]
_EVIDENCE = [*_columns("revision", pa.int64()), *_columns("known_at", _MOMENT)]
_REASON = _columns("reason detail", pa.string())
_TRAIL = [*_columns("digest", pa.string()), *_columns("code_version", pa.int64())]

FACTORS: Final = pa.schema(
    [
        *_SUBJECT,
        *_columns("factor", pa.string()),
        *_columns("beta", pa.float64()),
        *_REASON,
        *_columns("method", pa.string()),
        *_columns("capped", pa.bool_()),
        *_columns("r_squared std_error p_value", pa.float64()),
        *_columns("n_observations", pa.int64()),
        *_columns("first_session last_session", _DAY),
        *_EVIDENCE,
        *_TRAIL,
    ]
)
METRICS: Final = pa.schema(
    [
        *_SUBJECT,
        *_columns("metric", pa.string()),
        *_columns("value", pa.float64()),
        *_REASON,
        *_columns("basis", pa.string()),
        *_columns("period_end", _DAY),
        *_columns("n_observations", pa.int64()),
        *_columns("first_session last_session", _DAY),
        *_EVIDENCE,
        *_TRAIL,
    ]
)
SNAPSHOTS: Final = pa.schema(
    [
        *_columns("as_of", _DAY),
        *_columns("portfolio_id", pa.string()),
        *_columns("equity pnl flow cash long_value short_value gross net", _MONEY),
        *_columns("exit_pnl realised_pnl dividends", _MONEY),
        *_columns("positions long_positions short_positions stale_positions at_cost_positions", pa.int64()),
        *_columns("daily_return", pa.float64()),
        *_columns("daily_return_reason daily_return_detail", pa.string()),
        *_columns("twr_index", pa.float64()),
        *_columns("twr_index_reason twr_index_detail", pa.string()),
        *_EVIDENCE,
    ]
)
POSITIONS: Final = pa.schema(
    [
        *_columns("as_of", _DAY),
        *_columns("portfolio_id position_id symbol sector", pa.string()),
        *_columns("quantity mark", pa.float64()),
        *_columns("mark_source", pa.string()),
        *_columns("mark_age", pa.int64()),
        *_columns("market_value cost unrealised_pnl pnl exit_pnl realised_pnl dividends", _MONEY),
        *_columns("oversold", pa.bool_()),
        *_columns("revision", pa.int64()),
    ]
)
RISK: Final = pa.schema(
    [
        *_columns("as_of", _DAY),
        *_columns("portfolio_id kind name quantity", pa.string()),
        *_columns("value", pa.float64()),
        *_REASON,
        *_columns("coverage", pa.float64()),
        *_columns("coverage_reason unit", pa.string()),
        *_EVIDENCE,
    ]
)


def _factor_rows(entry: Entry) -> Iterator[Row]:
    for factor in entry["factors"]:
        beta = factor["beta"]
        cells = {**entry, **factor, "beta": beta["value"], "reason": beta["reason"], "detail": beta["detail"]}
        yield _typed(cells, FACTORS)


def _metric_rows(entry: Entry) -> Iterator[Row]:
    for name, measure in entry["metrics"].items():
        yield _typed({**entry, "metric": name, **measure}, METRICS)


def _snapshot_rows(entry: Entry) -> Iterator[Row]:
    measures = {
        name if part == "value" else f"{name}_{part}": entry[name][part]
        for name in ("daily_return", "twr_index")
        for part in _MEASURE
    }
    yield _typed({**entry, **measures}, SNAPSHOTS)


def _position_rows(entry: Entry) -> Iterator[Row]:
    yield _typed(entry, POSITIONS)


def _risk_rows(entry: Entry) -> Iterator[Row]:
    for factor in entry["factors"]:
        for quantity, unit in (("beta", "over equity"), ("dollars", "currency")):
            yield _risk_row(entry, ("factor", factor["factor"], quantity), factor[quantity], factor["coverage"], unit)
    for sector in entry["sectors"]:
        for quantity in ("net", "gross"):
            amount = {"value": float(sector[quantity]), "reason": None, "detail": None}
            yield _risk_row(entry, ("sector", sector["sector"], quantity), amount, None, "currency")
        for quantity in ("net_over_equity", "gross_over_equity"):
            yield _risk_row(entry, ("sector", sector["sector"], quantity), sector[quantity], None, "over equity")
    for measure in entry["measures"]:
        name = measure["measure"]
        yield _risk_row(entry, ("measure", name, name), measure["value"], measure["coverage"], measure["unit"])


def _risk_row(entry: Entry, what: tuple[str, str, str], measure: Entry, coverage: Entry | None, unit: str) -> Row:
    kind, name, quantity = what
    covered = coverage or {"value": None, "reason": None}
    cells = {
        **entry,
        **measure,
        "kind": kind,
        "name": name,
        "quantity": quantity,
        "coverage": covered["value"],
        "coverage_reason": covered["reason"],
        "unit": unit,
    }
    return _typed(cells, RISK)


EXPORTS: Final[Mapping[str, ExportedList]] = MappingProxyType(
    {
        "factors": ExportedList("/factors", ("as_of", "symbol"), Export(FACTORS, _factor_rows)),
        "metrics": ExportedList("/metrics", ("as_of", "symbol"), Export(METRICS, _metric_rows)),
        "snapshots": ExportedList("/snapshots", ("as_of", "portfolio_id"), Export(SNAPSHOTS, _snapshot_rows)),
        "positions": ExportedList(
            "/position-values", ("as_of", "portfolio_id"), Export(POSITIONS, _position_rows), counted="/snapshots"
        ),
        "risk": ExportedList("/risk", ("as_of", "portfolio_id"), Export(RISK, _risk_rows)),
    }
)
