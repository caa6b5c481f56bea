"""Prices as they lie there: one file of all symbols, or a directory with a file a symbol as vendors send them."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import compute

from services.market_data.core.findings import Rule
from services.market_data.providers.price_columns import PriceColumns, build_table
from services.market_data.providers.price_files import read_columns
from services.market_data.providers.price_header import CLOSE, DATE, NUMBERS, SYMBOL
from services.market_data.providers.price_table import PriceTable, UnreadRow, canonical
from services.market_data.providers.provider import ProviderError

DIRECTORY: Final = "prices"
_LABELS: Final = pa.dictionary(pa.int32(), pa.string())
_SUFFIXES: Final = (".csv.gz", ".csv", ".parquet")


def read_prices(path: Path, since: date) -> PriceTable:
    """Read the rows dated `since` or later of a price file, or of a directory with one file a symbol.

    Raises
    ------
    UnreadableFile, WrongEncoding, MissingColumn
        If a file of all symbols cannot be used. Bad rows, and bad files of a directory, are part of the result.
    """
    if path.name != DIRECTORY:
        return build_table(read_columns(path, since), since)
    parts: list[PriceColumns] = []
    unread: list[UnreadRow] = []
    for file, symbol in price_files(path):
        try:
            parts.append(read_columns(file, since, symbol))
        except ProviderError as error:
            unread.append(UnreadRow(canonical(symbol), None, Rule.UNREADABLE_FILE, str(error), 0))
    return build_table(_joined(path, parts, unread), since)


def price_files(directory: Path) -> list[tuple[Path, str]]:
    """Return the price files of a directory by name, each with the symbol that it is called after."""
    return [
        (file, file.name.removesuffix(suffix))
        for file in sorted(directory.iterdir())
        for suffix in _SUFFIXES
        if file.name.endswith(suffix)
    ]


def _joined(path: Path, parts: Sequence[PriceColumns], unread: Sequence[UnreadRow]) -> PriceColumns:
    names = {SYMBOL, DATE, CLOSE}.union(*(part.columns for part in parts))
    return PriceColumns(
        path=path,
        columns={name: _stacked(name, parts) for name in names},
        line=np.concatenate([np.zeros(0, dtype=np.int32), *(part.line for part in parts)]),
        broken=[*unread, *(row for part in parts for row in part.broken)],
        broken_omitted=sum(part.broken_omitted for part in parts),
        symbols=[row.key for row in unread if row.key] + [symbol for part in parts for symbol in part.symbols],
    )


def _stacked(name: str, parts: Iterable[PriceColumns]) -> Any:
    columns = [part.columns.get(name, pa.nulls(len(part.line))) for part in parts]
    if name not in NUMBERS:
        return _chunked(map(_labelled, columns), _LABELS).unify_dictionaries()
    # Numbers that some file has words among are text in all of them: each cell is understood by itself later.
    kind = pa.string() if any(pa.types.is_string(column.type) for column in columns) else pa.float64()
    return _chunked((compute.cast(column, kind) for column in columns), kind)


def _labelled(column: Any) -> Any:
    """Return a column of few texts or days by its distinct ones: years of days, of thousands of symbols, are few."""
    return compute.cast(column if pa.types.is_dictionary(column.type) else compute.cast(column, pa.string()), _LABELS)


def _chunked(columns: Iterable[Any], kind: Any) -> Any:
    chunks = [chunk for column in columns for chunk in (getattr(column, "chunks", None) or [column])]
    return pa.chunked_array([chunk for chunk in chunks if len(chunk)], type=kind)
