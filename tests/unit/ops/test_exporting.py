from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pandas as pd
import pyarrow as pa
import pytest

from services.ops.client.answers.numbers import Day, Moment
from services.ops.client.export_tables import EXPORTS
from services.ops.client.exporting import Export, write_export
from services.ops.errors import Misused
from shared.conventions import FACTOR_FIELDS
from tests.support.exported import READERS, Reader


def _rows(entry: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield entry


_SCHEMA = pa.schema([("name", pa.string()), ("value", pa.float64()), ("amount", pa.decimal128(20, 2))])
_EXPORT = Export(_SCHEMA, _rows)


def _entry(name: str | None, value: float | None = -1.5, amount: str = "-2.50") -> dict[str, Any]:
    return {"name": name, "value": value, "amount": Decimal(amount)}


def test_export_writes_every_page(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"

    assert write_export(_EXPORT, [[_entry("a"), _entry("b")], [_entry("c", None)]], out) == 3

    frame = pd.read_parquet(out)
    assert list(frame["name"]) == ["a", "b", "c"]
    assert frame["value"].isna().tolist() == [False, False, True]
    assert frame["amount"][0] == Decimal("-2.50")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_export_to_csv_of_formula_writes_text(tmp_path: Path, cell: str) -> None:
    out = tmp_path / "out.csv"

    write_export(_EXPORT, [[_entry(cell)]], out)

    frame = pd.read_csv(out)
    assert frame["name"][0].strip() == f"'{cell}".strip()
    assert frame["value"][0] == -1.5
    assert frame["amount"][0] == -2.5


def test_export_to_parquet_of_formula_keeps_it(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"

    write_export(_EXPORT, [[_entry("=1+1")]], out)

    assert pd.read_parquet(out)["name"][0] == "=1+1"


@pytest.mark.parametrize(("ending", "read"), READERS.items())
def test_export_of_nothing_has_the_columns(tmp_path: Path, ending: str, read: Reader) -> None:
    out = tmp_path / f"out{ending}"

    assert write_export(_EXPORT, [], out) == 0

    assert list(read(out).columns) == ["name", "value", "amount"]


def test_export_to_a_workbook_has_numbers_dates_and_text_as_such(tmp_path: Path) -> None:
    out = tmp_path / "out.xlsx"
    schema = pa.schema(
        [
            *_SCHEMA,
            ("on", pa.date32()),
            ("at", pa.timestamp("us", tz="UTC")),
            ("flag", pa.bool_()),
            ("count", pa.int64()),
        ]
    )
    rest = {"on": date(2022, 12, 28), "at": datetime(2022, 12, 28, 22, 30, tzinfo=UTC), "flag": True, "count": 7}

    assert write_export(Export(schema, _rows), [[_entry("=1+1") | rest], [_entry(None, None) | rest]], out) == 2

    frame = pd.read_excel(out, engine="calamine")
    first, second = frame.to_dict("records")
    assert first == {
        "name": "=1+1",
        "value": -1.5,
        "amount": -2.5,
        "on": pd.Timestamp("2022-12-28"),
        "at": pd.Timestamp("2022-12-28 22:30"),
        "flag": True,
        "count": 7,
    }
    assert pd.isna(second["name"])
    assert pd.isna(second["value"])


def test_export_of_more_rows_than_a_sheet_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ops.client.workbook.MAX_ROWS", 3)

    with pytest.raises(Misused, match="no more than 3 rows"):
        write_export(_EXPORT, [[_entry("a"), _entry("b")], [_entry("c")]], tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_export_that_breaks_off_leaves_the_earlier_file(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("earlier")

    def breaking_off() -> Iterable[list[dict[str, Any]]]:
        yield [_entry("a")]
        raise ConnectionError

    with pytest.raises(Misused):
        write_export(_EXPORT, breaking_off(), out)
    assert out.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [out]


def test_export_to_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misused, match=r"must end with .csv, .parquet or .xlsx, was .txt"):
        write_export(_EXPORT, [], tmp_path / "out.txt")


def test_export_to_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="cannot write"):
        write_export(_EXPORT, [], tmp_path / "nowhere" / "out.csv")


def _filled(kind: Any) -> Any:
    """Return an answer of this type with everything in it."""
    if is_typeddict(kind):
        return {name: _filled(field) for name, field in get_type_hints(kind, include_extras=True).items()}
    if get_origin(kind) is list:
        return [_filled(get_args(kind)[0])]
    if get_origin(kind) is dict:
        return {"name": _filled(get_args(kind)[1])}
    if type(None) in get_args(kind):
        return _filled(get_args(kind)[0])
    return {Day: "2022-12-28", Moment: "2022-12-28T22:00:00Z", str: "1.00", float: 1.0, int: 1, bool: True}[kind]


@pytest.mark.parametrize("results", EXPORTS)
def test_export_fills_every_column_from_what_the_platform_answers(results: str) -> None:
    wanted = EXPORTS[results]

    entry = _filled(get_type_hints(wanted.export.rows, include_extras=True)["entry"])
    rows = list(wanted.export.rows({**entry, "portfolio": "book"}))

    table = pa.Table.from_pylist(rows, schema=wanted.export.schema)
    empty = {name for name in table.column_names if table[name].null_count == table.num_rows}
    assert empty == set()


def test_export_of_factors_has_the_fields_that_are_declared_for_them() -> None:
    key, trail = ("as_of", "symbol", "factor", "beta", "reason", "detail"), ("revision", "known_at")
    assert tuple(EXPORTS["factors"].export.schema.names[: -len(trail) - 2]) == (*key, *FACTOR_FIELDS)


def test_export_of_metrics_has_the_basis_and_the_period_of_a_ratio_and_the_trail_of_its_row() -> None:
    none = dict.fromkeys(("reason", "detail", "n_observations", "first_session", "last_session"))
    entry = {
        "symbol": "AAPL",
        "as_of": "2024-07-31",
        "revision": 2,
        "known_at": "2024-08-01T01:00:00Z",
        "digest": "abc123",
        "code_version": 1,
        "metrics": {"pe_ratio": {**none, "value": 20.0, "basis": "ttm", "period_end": "2024-06-30"}},
    }

    (row,) = EXPORTS["metrics"].export.rows(entry)

    assert (row["metric"], row["value"], row["basis"], row["period_end"]) == (
        "pe_ratio",
        20.0,
        "ttm",
        date(2024, 6, 30),
    )
    assert (row["digest"], row["code_version"], row["revision"]) == ("abc123", 1, 2)
