"""Reading `fundamentals.csv`."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.market_data.core.findings import Rule
from services.market_data.core.statements import GivenStatement, Period
from services.market_data.providers.csv_rows import CellReader, FileTable
from services.market_data.providers.price_table import canonical
from shared.fundamentals import FREQUENCIES, ITEMS, STATEMENTS

REQUIRED: Final = ("statement", "frequency", "period_end")
LABELS: Final = ("symbol", *REQUIRED, "published_on", "currency", "fiscal_year", "fiscal_quarter")

_ITEMS: Final = frozenset(name for items in ITEMS.values() for name in items)


def read_statements(path: Path, provider: str) -> FileTable[list[GivenStatement]]:
    """Read a file of statements. A cell that cannot be read is left out and reported, the rest of its row is kept.

    Raises
    ------
    UnreadableFile, WrongEncoding, MissingColumn
        If the file as a whole cannot be used.
    """
    cells = CellReader(path, provider)
    statements: dict[str, list[GivenStatement]] = defaultdict(list)
    for row in cells.rows(*REQUIRED):
        period = _period(row, cells)
        if period is not None:
            statements[canonical(period.symbol)].append(_statement(period, row, cells, path.name))
    return FileTable(statements, tuple(cells.findings))


def _period(row: Mapping[str, str], cells: CellReader) -> Period | None:
    statement, frequency = row["statement"].lower(), row["frequency"].lower()
    for name, value, known in (("statement", statement, STATEMENTS), ("frequency", frequency, FREQUENCIES)):
        if value not in known:
            cells.report(Rule.UNKNOWN_LABEL, f"{name} {row[name]!r} must be one of {', '.join(known)}")
            return None
    if not row["period_end"]:
        cells.report(Rule.MISSING_VALUE, "period_end")
        return None
    end = cells.date("period_end", row["period_end"])
    return None if end is None else Period(row["symbol"], statement, frequency, end)


def _statement(period: Period, row: Mapping[str, str], cells: CellReader, file: str) -> GivenStatement:
    cells.day = period.end
    items = {name: cells.number(name, text) for name, text in row.items() if text and name in _ITEMS}
    published_on, year, quarter = (row.get(name) for name in ("published_on", "fiscal_year", "fiscal_quarter"))
    return GivenStatement(
        period,
        {name: value for name, value in items.items() if value is not None},
        published_on=cells.date("published_on", published_on) if published_on else None,
        currency=row.get("currency") or None,
        fiscal_year=cells.whole("fiscal_year", year) if year else None,
        fiscal_quarter=cells.whole("fiscal_quarter", quarter) if quarter else None,
        file=file,
        line=cells.line,
    )
