"""Raw rows written by hand."""

from datetime import date
from typing import Any

import numpy as np

from services.market_data.core.bar_checks import CheckedBars, Request, check_rows
from services.market_data.core.bars import BAR_FIELDS
from services.market_data.core.findings import Rule
from services.market_data.core.raw_bars import RawBars
from shared.calendar import sessions_between

SESSIONS = np.array(sessions_between(date(2024, 3, 4), date(2024, 3, 15)), dtype="datetime64[D]")  # 10 sessions
DAYS: list[date] = SESSIONS.tolist()
TARGET = DAYS[-1]


def raw(*rows: dict[str, Any], symbols: tuple[str, ...] = ("AAA",)) -> RawBars:
    columns = {name: np.array([row.get(name, np.nan) for row in rows], dtype=np.float64) for name in BAR_FIELDS}
    return RawBars.of(
        symbols,
        np.array([symbols.index(row.get("symbol", symbols[0])) for row in rows], dtype=np.int64),
        np.array([row["day"] for row in rows], dtype="datetime64[D]"),
        columns=columns,
        line=np.arange(2, 2 + len(rows)),
        file="prices.csv",
    )


def check(rows: RawBars, *, target: date = TARGET) -> CheckedBars:
    return check_rows(rows, Request("files", SESSIONS, target))


def rules(checked: CheckedBars) -> list[Rule]:
    return [finding.rule for finding in checked.findings]
