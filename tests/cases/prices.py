"""The prices of cases from real books: invented symbols with the shapes of public reports, for the `files` provider."""

import csv
from datetime import date
from pathlib import Path
from typing import Final

from shared.calendar import sessions_between

MARKET: Final = "MKT"  # a proxy that none of the cases is about

Bar = tuple[str, ...]  # symbol, date, close, dividend, split, adj_close

PROFILES: Final = (
    ("SHLP.L", "Shell-like", "Energy", "GBp"),
    ("SAPE.DE", "Software-like", "Technology", "EUR"),
)


def path(symbol: str, first: str, last: str, *, start: float, end: float) -> list[Bar]:
    """Return a close a session, from one price to another at a constant return."""
    days = sessions_between(date.fromisoformat(first), date.fromisoformat(last))
    steps = max(len(days) - 1, 1)
    return [(symbol, str(d), f"{start * (end / start) ** (n / steps):.6f}", "", "", "") for n, d in enumerate(days)]


def rows(symbol: str, *bars: Bar) -> list[Bar]:
    """Return bars that are written as (date, close[, dividend[, split[, adj_close]]])."""
    return [(symbol, *bar, *[""] * (5 - len(bar))) for bar in bars]


def split_on(session: str, factor: str, bars: list[Bar]) -> list[Bar]:
    """Return the bars with a split on that session."""
    return [(*bar[:4], factor if bar[1] == session else bar[4], bar[5]) for bar in bars]


BARS: Final = (
    *path(MARKET, "2021-06-01", "2023-04-06", start=400, end=410),
    # a crash after a halt
    *path("HALT", "2022-03-01", "2023-03-06", start=560, end=280),
    *rows("HALT", ("2023-03-07", "267.39"), ("2023-03-08", "267.83"), ("2023-03-09", "106.04"), ("2023-03-28", "0.40")),
    *rows("HALT", ("2023-03-29", "0.90"), ("2023-03-30", "1.00"), ("2023-03-31", "0.96"), ("2023-04-03", "0.92")),
    *rows("HALT", ("2023-04-04", "0.88"), ("2023-04-05", "0.85"), ("2023-04-06", "0.80")),
    # a return of capital that explains the fall
    *rows("CAPR", ("2023-03-07", "41.00"), ("2023-03-08", "41.10"), ("2023-03-09", "41.20")),
    *rows("CAPR", ("2023-03-10", "3.83", "37.39"), ("2023-03-13", "3.84"), ("2023-03-14", "3.85")),
    # a vendor's split-adjusted closes with the split kept
    *rows("ADJF", ("2022-12-19", "100.00"), ("2022-12-20", "100.00")),
    *rows("ADJF", ("2022-12-21", "101.00", "", "4"), ("2022-12-22", "102.00")),
    # a split that nobody gives, visible in the adjusted close
    *rows("NOSP", ("2022-12-19", "80.00", "", "", "40.00"), ("2022-12-20", "80.60", "", "", "40.30")),
    *rows("NOSP", ("2022-12-21", "40.20", "", "", "40.20"), ("2022-12-22", "40.60", "", "", "40.60")),
    # withdrawals on the day of the sale
    *rows("SOLD", ("2022-12-19", "100"), ("2022-12-20", "100"), ("2022-12-21", "101"), ("2022-12-22", "101")),
    *rows("SOLD", ("2022-12-23", "101"), ("2022-12-27", "101"), ("2022-12-28", "101")),
    # the first money comes late
    *path("LATE", "2021-06-01", "2022-05-31", start=100, end=100),
    *path("LATE", "2022-06-01", "2022-12-28", start=100, end=110),
    # pence and euro
    *rows("SHLP.L", ("2022-12-20", "2400"), ("2022-12-21", "2410"), ("2022-12-22", "2417")),
    *rows("SAPE.DE", ("2022-12-20", "95"), ("2022-12-21", "96"), ("2022-12-22", "97")),
    # bought before a split that lies before the opening
    *path("PRIO", "2022-03-01", "2022-06-30", start=300, end=300),
    *split_on("2022-07-01", "1.5", path("PRIO", "2022-07-01", "2022-12-28", start=200, end=210)),
    # a vendor's rounded split factor
    *rows("RNDF", ("2022-12-19", "30.00"), ("2022-12-20", "30.00")),
    *rows("RNDF", ("2022-12-21", "210.00", "", "0.1428572"), ("2022-12-22", "210.00")),
    # a listing that ends
    *rows("GONE", ("2022-11-21", "50"), ("2022-11-22", "51"), ("2022-11-23", "52")),
    # only bad rows
    *rows("BADR", ("2022-12-26", "abc"), ("2022-12-27", "-5")),
)


def write_cases(directory: Path) -> None:
    """Write `prices.csv` and `profiles.csv` of all cases."""
    bars = (("symbol", "date", "close", "dividend", "split", "adj_close"), *BARS)
    profiles = (("symbol", "name", "sector", "currency"), *PROFILES)
    for name, lines in (("prices.csv", bars), ("profiles.csv", profiles)):
        with (directory / name).open("w", newline="") as file:
            csv.writer(file).writerows(lines)
