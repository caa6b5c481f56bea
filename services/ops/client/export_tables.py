"""What can be exported: where it is, and the columns it becomes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Generic

import pyarrow as pa

from services.ops.client import routes
from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.portfolios import PositionValue, Snapshot
from services.ops.client.answers.risk import PortfolioRisk
from services.ops.client.answers.symbols import SymbolFactors, SymbolMetrics
from services.ops.client.client import ApiClient
from services.ops.client.export_readers import (
    PortfolioPerformance,
    PortfolioRealised,
    PortfolioStress,
    Reader,
    listed,
    read_performance,
    read_realised,
    read_stress,
    with_names,
)
from services.ops.client.exporting import Entry, Export, Row, write_export
from services.ops.client.realised import QUANTITIES
from shared.conventions import FACTOR_FIELDS

_DAY = pa.date32()
_MOMENT = pa.timestamp("us", tz="UTC")
_MONEY = pa.decimal128(20, 2)
_MEASURE: Final = ("value", "reason", "detail")
_INDEXED: Final = ("daily_return", "twr_index")
_OF_OPTIONS: Final = ("delta", "implied_volatility")
_AMOUNTS: Final = ("net", "gross")
_SHARES: Final = ("net_over_equity", "gross_over_equity")
_UNCOVERED: Final[Measure] = {"value": None, "reason": None, "detail": None}
_PARSERS: Final[Mapping[pa.DataType, Callable[[str], object]]] = {
    _DAY: date.fromisoformat,
    _MOMENT: datetime.fromisoformat,
    _MONEY: Decimal,
}


@dataclass(frozen=True, slots=True)
class Exported(Generic[Entry]):
    """What of the platform can be exported.

    Attributes
    ----------
    read : callable
        Yields pages of it between two sessions.
    export : Export
        Its columns and rows.
    """

    read: Reader[Entry]
    export: Export[Entry]

    def write(self, client: ApiClient, out: Path, *, first: date | None, last: date | None) -> int:
        """Write the sessions from `first` to `last` to a file and return the number of rows.

        Raises
        ------
        Misused, Unreachable, Refused
            If the file cannot be written, or the platform does not answer.
        """
        read = self.read(client, first, last)
        if "portfolio" in self.export.schema.names:
            read = with_names(client, read)
        return write_export(self.export, read, out)


def _columns(names: str, kind: pa.DataType) -> list[tuple[str, pa.DataType]]:
    return [(name, kind) for name in names.split()]


def _row(cells: Mapping[str, Any], schema: pa.Schema) -> Row:
    """Return the cells by column, dates and amounts as such."""
    row: Row = {}
    for field in schema:
        cell = cells[field.name]
        parse = _PARSERS.get(field.type)
        row[field.name] = cell if cell is None or parse is None else parse(cell)
    return row


_SUBJECT = [*_columns("as_of", _DAY), *_columns("symbol", pa.string())]
_EVIDENCE = [*_columns("revision", pa.int64()), *_columns("known_at", _MOMENT)]
_REASON = _columns("reason detail", pa.string())
_TRAIL = [*_columns("digest", pa.string()), *_columns("code_version", pa.int64())]

_FACTOR_TYPES = {
    **dict(_columns("method source", pa.string())),
    **dict(_columns("capped", pa.bool_())),
    **dict(_columns("r_squared std_error p_value", pa.float64())),
    **dict(_columns("n_observations", pa.int64())),
    **dict(_columns("first_session last_session source_date", _DAY)),
}

FACTORS: Final = pa.schema(
    [
        *_SUBJECT,
        *_columns("factor", pa.string()),
        *_columns("beta", pa.float64()),
        *_REASON,
        *((name, _FACTOR_TYPES[name]) for name in FACTOR_FIELDS),
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
        *_columns("portfolio_id portfolio", pa.string()),
        *_columns("equity pnl flow contributions withdrawals cash long_value short_value gross net", _MONEY),
        *_columns("exit_pnl realised_pnl", _MONEY),
        *_columns("gain_reason gain_detail", pa.string()),
        *_columns("dividends", _MONEY),
        *_columns("positions long_positions short_positions", pa.int64()),
        *_columns("stale_positions at_cost_positions unvalued_positions", pa.int64()),
        *_columns("stale_gross", _MONEY),
        *_columns("oldest_mark", pa.int64()),
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
        *_columns("portfolio_id portfolio position_id symbol sector", pa.string()),
        *_columns("quantity mark", pa.float64()),
        *_columns("mark_source", pa.string()),
        *_columns("mark_age", pa.int64()),
        *_columns("market_value cost unrealised_pnl pnl exit_pnl realised_pnl dividends", _MONEY),
        *_columns("oversold", pa.bool_()),
        *_columns("gain_reason gain_detail value_reason value_detail", pa.string()),
        *_columns("delta gamma vega theta rho implied_volatility assumed_volatility", pa.float64()),
        *_columns("delta_reason delta_detail implied_volatility_reason implied_volatility_detail", pa.string()),
        *_columns("revision", pa.int64()),
    ]
)
RISK: Final = pa.schema(
    [
        *_columns("as_of", _DAY),
        *_columns("portfolio_id portfolio kind name quantity", pa.string()),
        *_columns("value", pa.float64()),
        *_REASON,
        *_columns("of_covered coverage", pa.float64()),
        *_columns("coverage_reason unit", pa.string()),
        *_EVIDENCE,
    ]
)

PERFORMANCE: Final = pa.schema(
    [
        *_columns("as_of", _DAY),
        *_columns("portfolio_id portfolio", pa.string()),
        *_columns("equity", _MONEY),
        *_columns("twr_index drawdown", pa.float64()),
    ]
)
REALISED: Final = pa.schema(
    [
        *_columns("as_of", _DAY),
        *_columns("portfolio_id portfolio window quantity", pa.string()),
        *_columns("value", pa.float64()),
        *_REASON,
        *_columns("on", _DAY),
        *_columns("returns", pa.int64()),
    ]
)
STRESS: Final = pa.schema(
    [
        *_columns("as_of", _DAY),
        *_columns("portfolio_id portfolio scenario name basis", pa.string()),
        *_columns("direct", pa.float64()),
        *_columns("direct_reason direct_detail", pa.string()),
        *_columns("direct_of_covered model", pa.float64()),
        *_columns("model_reason model_detail", pa.string()),
        *_columns("model_of_covered", pa.float64()),
        *_columns("extrapolated", pa.string()),
        *_columns("beyond_gross", pa.bool_()),
    ]
)
REVERSE_STRESS: Final = pa.schema(
    [
        *_columns("as_of", _DAY),
        *_columns("portfolio_id portfolio", pa.string()),
        *_columns("loss distance", pa.float64()),
        *_REASON,
        *_columns("kind name", pa.string()),
        *_columns("value deviations", pa.float64()),
    ]
)


def _factor_rows(entry: SymbolFactors) -> Iterator[Row]:
    for factor in entry["factors"]:
        beta = factor["beta"]
        cells = {**entry, **factor, "beta": beta["value"], "reason": beta["reason"], "detail": beta["detail"]}
        yield _row(cells, FACTORS)


def _metric_rows(entry: SymbolMetrics) -> Iterator[Row]:
    for name, measure in entry["metrics"].items():
        yield _row({**entry, "metric": name, **measure}, METRICS)


def _snapshot_rows(entry: Snapshot) -> Iterator[Row]:
    yield _row({**entry, **_flat({name: entry[name] for name in _INDEXED})}, SNAPSHOTS)


def _flat(measures: Mapping[str, Measure]) -> dict[str, object]:
    """Return measures as cells: the value under its name, the reason and detail under the name and theirs."""
    return {
        name if part == "value" else f"{name}_{part}": measure[part]
        for name, measure in measures.items()
        for part in _MEASURE
    }


def _position_rows(entry: PositionValue) -> Iterator[Row]:
    greeks = {name: entry[name] or _UNCOVERED for name in _OF_OPTIONS}
    yield _row({**entry, **_flat(greeks)}, POSITIONS)


def _risk_rows(entry: PortfolioRisk) -> Iterator[Row]:
    for factor in entry["factors"]:
        name, coverage = factor["factor"], factor["coverage"]
        yield _risk_row(entry, ("factor", name, "beta"), factor["beta"], coverage, "over equity")
        yield _risk_row(entry, ("factor", name, "dollars"), factor["dollars"], coverage, "currency")
    for sector in entry["sectors"]:
        for quantity in _AMOUNTS:
            amount: Measure = {"value": float(sector[quantity]), "reason": None, "detail": None}
            yield _risk_row(entry, ("sector", sector["sector"], quantity), amount, _UNCOVERED, "currency")
        for share in _SHARES:
            yield _risk_row(entry, ("sector", sector["sector"], share), sector[share], _UNCOVERED, "over equity")
    for measure in entry["measures"]:
        name = measure["measure"]
        yield _risk_row(entry, ("measure", name, name), measure["value"], measure["coverage"], measure["unit"])


def _risk_row(entry: PortfolioRisk, what: tuple[str, str, str], measure: Measure, coverage: Measure, unit: str) -> Row:
    kind, name, quantity = what
    cells = {
        **entry,
        "of_covered": None,
        **measure,
        "kind": kind,
        "name": name,
        "quantity": quantity,
        "coverage": coverage["value"],
        "coverage_reason": coverage["reason"],
        "unit": unit,
    }
    return _row(cells, RISK)


def _performance_rows(entry: PortfolioPerformance) -> Iterator[Row]:
    for point in entry["points"]:
        yield _row({**entry, **point}, PERFORMANCE)


def _realised_rows(entry: PortfolioRealised) -> Iterator[Row]:
    for window in entry["windows"]:
        for quantity in QUANTITIES:
            told = {"as_of": entry["last"], "window": window["window"], "returns": window["returns"]}
            yield _row({**entry, "on": None, **told, **window[quantity], "quantity": quantity}, REALISED)


def _stress_rows(entry: PortfolioStress) -> Iterator[Row]:
    for scenario in entry["scenarios"]:
        beyond = [move["factor"] for move in scenario["moves"] if move["extrapolated"]]
        figures = {"direct": scenario["direct"], "model": scenario["model"]}
        parts = {f"{name}_of_covered": figure["of_covered"] for name, figure in figures.items()}
        yield _row({**entry, **scenario, **_flat(figures), **parts, "extrapolated": " ".join(beyond)}, STRESS)


def _reverse_rows(entry: PortfolioStress) -> Iterator[Row]:
    """Yield the moves that cost a part of equity, and the sessions nearest to them with the return of the book."""
    for found in entry["reverse"]:
        parts = [("move", move["factor"], move["move"], move["deviations"]) for move in found["moves"]]
        parts += [("session", near["session"], near["book_return"], None) for near in found["nearest"]]
        measures = _flat({"distance": found["distance"]})
        why = {"reason": measures["distance_reason"], "detail": measures["distance_detail"]}
        for kind, name, value, deviations in parts:
            told = {"kind": kind, "name": name, "value": value, "deviations": deviations}
            yield _row({**entry, **found, **measures, **why, **told}, REVERSE_STRESS)


EXPORTS: Final[Mapping[str, Exported[Any]]] = MappingProxyType(
    {
        "factors": Exported(listed(routes.FACTORS), Export(FACTORS, _factor_rows)),
        "metrics": Exported(listed(routes.METRICS), Export(METRICS, _metric_rows)),
        "snapshots": Exported(listed(routes.SNAPSHOTS), Export(SNAPSHOTS, _snapshot_rows)),
        "positions": Exported(listed(routes.POSITION_VALUES), Export(POSITIONS, _position_rows)),
        "risk": Exported(listed(routes.RISK), Export(RISK, _risk_rows)),
        "performance": Exported(read_performance, Export(PERFORMANCE, _performance_rows)),
        "realised": Exported(read_realised, Export(REALISED, _realised_rows)),
        "stress": Exported(read_stress, Export(STRESS, _stress_rows)),
        "reverse-stress": Exported(read_stress, Export(REVERSE_STRESS, _reverse_rows)),
    }
)
