import asyncio
import gzip
import os
import random
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from services.market_data.core.bar_checks import CheckedBars, Request, check_rows
from services.market_data.core.findings import Rule
from services.market_data.providers import files, price_directory, price_table
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.provider import (
    AmbiguousFile,
    FetchedBars,
    Kind,
    MissingColumn,
    MissingFile,
    ProviderError,
    UnreadableFile,
    WrongEncoding,
)
from shared.calendar import sessions_between
from tests.unit.market_data.providers.directories import FIRST, GOOD, LAST, as_parquet, write


async def fetch(directory: Path, *symbols: str) -> FetchedBars:
    return await FilesProvider(directory).fetch_bars(symbols or ("AAPL", "KO"), FIRST, LAST)


def check(fetched: FetchedBars) -> CheckedBars:
    sessions = np.array(sessions_between(FIRST, LAST), dtype="datetime64[D]")
    return check_rows(fetched.rows, Request("files", sessions, LAST))


def told(fetched: FetchedBars) -> list[tuple[str | None, Rule, int | None]]:
    return [(finding.symbol, finding.rule, finding.line) for finding in fetched.findings]


@pytest.mark.parametrize(
    ("row", "rule", "symbol"),
    [
        ("KO,2022-03-03,x,60", Rule.UNPARSABLE_NUMBER, "KO"),
        ("KO,2022-03-03,1e,60", Rule.UNPARSABLE_NUMBER, "KO"),
        ("KO,2022-03-03,62,sixty", Rule.UNPARSABLE_NUMBER, "KO"),
        ("KO,03/03/2022,62,60", Rule.UNPARSABLE_DATE, "KO"),
        ("KO,2022-02-30,62,60", Rule.UNPARSABLE_DATE, "KO"),
        ("KO,20220303,62,60", Rule.UNPARSABLE_DATE, "KO"),
        (",2022-03-03,62,60", Rule.MISSING_VALUE, None),
        ("KO,,62,60", Rule.MISSING_VALUE, "KO"),
        ("KO,2022-03-03,,60", Rule.MISSING_VALUE, "KO"),
        ("KO,2022-03-03,62", Rule.WRONG_CELL_COUNT, None),
        ("KO,2022-03-03,62,60,1", Rule.WRONG_CELL_COUNT, None),
        ("KO", Rule.WRONG_CELL_COUNT, None),
    ],
)
async def test_files_with_a_broken_row_report_its_line_and_load_the_rest(
    tmp_path: Path, row: str, rule: Rule, symbol: str | None
) -> None:
    lines = GOOD.splitlines()
    write(tmp_path, "\n".join([*lines[:3], row, "", *lines[3:]]))

    fetched = await fetch(tmp_path)

    assert told(fetched) == [(symbol, rule, 4)]
    assert fetched.findings[0].file == "prices.csv"
    assert fetched.rows.close.tolist() == [163.20, 166.56, 62.5, 62.9]
    assert fetched.rows.line.tolist() == [2, 3, 6, 7]


async def test_files_with_a_stray_quote_lose_one_line_only(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("KO,2022-03-01,62.5", 'KO,2022-03-01,"62,5'))

    fetched = await fetch(tmp_path)

    assert told(fetched) == [(None, Rule.WRONG_CELL_COUNT, 4)]
    assert len(fetched.rows) == 3


@pytest.mark.parametrize(
    ("close", "rule"),
    [
        ("NaN", Rule.NON_FINITE_CLOSE),
        ("inf", Rule.NON_FINITE_CLOSE),
        ("-inf", Rule.NON_FINITE_CLOSE),
        ("1e999", Rule.NON_FINITE_CLOSE),
        ("0", Rule.NON_POSITIVE_CLOSE),
        ("-1.5", Rule.NON_POSITIVE_CLOSE),
    ],
)
async def test_files_with_an_absurd_close_leave_it_to_the_checks(tmp_path: Path, close: str, rule: Rule) -> None:
    write(tmp_path, GOOD + f"KO,2022-03-03,{close},60.7\n")

    checked = check(await fetch(tmp_path))

    assert [(f.symbol, f.rule, f.line) for f in checked.findings] == [("KO", rule, 6)]
    assert checked.bars.present.sum() == 4


@pytest.mark.parametrize(
    ("row", "rules"),
    [
        ("KO,2022-03-02,62.9,60.5", [Rule.DUPLICATE_IDENTICAL]),
        ("KO,2022-03-02,63.9,60.5", [Rule.DUPLICATE_CONFLICTING] * 2),
        ("KO,2022-03-05,62.9,60.5", [Rule.OFF_SESSION]),
        ("KO,2099-01-02,62.9,60.5", [Rule.FUTURE_DATE]),
        ("KO,2022-04-01,62.9,60.5", []),
    ],
)
async def test_files_with_dates_that_cannot_be_are_found_by_the_checks(
    tmp_path: Path, row: str, rules: list[Rule]
) -> None:
    write(tmp_path, GOOD + row + "\n")

    assert [finding.rule for finding in check(await fetch(tmp_path)).findings] == rules


async def test_files_with_a_hole_leave_it_open(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "KO,2022-03-04,63.1,60.7\n")

    checked = check(await fetch(tmp_path, "KO"))

    assert checked.bars.present[:4, 0].tolist() == [True, True, False, True]


Break = Callable[[Path], object]


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda d: None, MissingFile, "prices.parquet, prices.csv, prices.csv.gz"),
        (lambda d: (write(d, GOOD), as_parquet(d, GOOD)), AmbiguousFile, "prices.parquet, prices.csv"),
        (lambda d: write(d, ""), UnreadableFile, "prices.csv cannot be read: it has no header"),
        (lambda d: write(d, "\n\n"), UnreadableFile, "no header"),
        (lambda d: write(d, "x" * 70_000), UnreadableFile, "its header is longer"),
        (lambda d: write(d, GOOD.replace("close", "price", 1)), MissingColumn, "prices.csv must have a column 'close'"),
        (lambda d: write(d, GOOD.replace(",", ";")), MissingColumn, "'symbol', had 'symbol;date;close;adj_close'"),
        (lambda d: write(d, GOOD.replace("adj_close", "close")), UnreadableFile, "column 'close' occurs twice"),
        (lambda d: write(d, GOOD.encode("utf-16")), WrongEncoding, "prices.csv must be UTF-8"),
        (lambda d: write(d, GOOD.encode("utf-16-le")), WrongEncoding, "the header"),
        (lambda d: write(d, GOOD.encode() + b"Z\xfcRI,2022-03-01,1,1\n"), WrongEncoding, "column 'symbol'"),
        (lambda d: write(d, GOOD.encode() + b"KO,2022-03-03,1\xff,1\n"), WrongEncoding, "column 'close'"),
        (lambda d: write(d, GOOD, "prices.csv.gz"), UnreadableFile, "prices.csv.gz"),
        (lambda d: write(d, gzip.compress(GOOD.encode())[:40], "prices.csv.gz"), UnreadableFile, "prices.csv.gz"),
        (lambda d: write(d, "not parquet", "prices.parquet"), UnreadableFile, "prices.parquet"),
        (lambda d: as_parquet(d, GOOD.replace("close", "price", 1)), MissingColumn, "'close'"),
        (lambda d: as_parquet(d, GOOD.replace("62.5", "x")), UnreadableFile, "column 'close' must hold numbers"),
        (lambda d: (d / "prices.csv").mkdir(), UnreadableFile, "prices.csv"),
    ],
)
async def test_files_that_cannot_be_used_give_one_error_that_names_file_and_column(
    tmp_path: Path, spoil: Break, error: type[ProviderError], message: str
) -> None:
    spoil(tmp_path)

    with pytest.raises(error, match=re.escape(message)):
        await fetch(tmp_path)


async def test_files_with_a_header_only_know_nobody(tmp_path: Path) -> None:
    write(tmp_path, GOOD.splitlines()[0])

    fetched = await fetch(tmp_path)

    assert {why.detail for why in fetched.unavailable.values()} == {"not in prices.csv"}


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.rstrip("\n"),
        GOOD + "\n\n,,,\n",
        GOOD.replace("symbol,date", " Symbol , DATE"),
        GOOD.replace("AAPL", "aapl").replace("KO,", '"KO", '),
        GOOD.replace("62.9", '" 62.9 "'),
        GOOD.replace("-01,", "-01 00:00:00,").replace("-02,", "-02T00:00:00,"),
    ],
    ids=["crlf", "bom", "no last newline", "blank lines", "header case", "quoted", "quoted number", "midnight"],
)
async def test_files_in_another_dress_say_the_same(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)

    fetched = await fetch(tmp_path)

    assert fetched.findings == ()
    assert fetched.rows.close.tolist() == [163.20, 166.56, 62.5, 62.9]
    assert fetched.rows.adjusted.tolist() == [161.5, 164.8, 60.1, 60.5]


async def test_files_ignore_the_order_of_rows_and_columns_and_further_columns(tmp_path: Path) -> None:
    frame = pd.read_csv(write(tmp_path, GOOD), dtype=str)
    rows = list(frame.itertuples(index=False))
    random.Random(5).shuffle(rows)  # noqa: S311
    shuffled = pd.DataFrame(rows)[["adj_close", "close", "date", "symbol"]].assign(note="é")
    plain = await fetch(tmp_path)

    shuffled.to_csv(tmp_path / "prices.csv", index=False)

    assert check(plain).bars.equals(check(await fetch(tmp_path)).bars)


async def test_files_in_every_format_give_the_same_bars(tmp_path: Path) -> None:
    bars = []
    for name in files.PRICE_FILES[:3]:
        directory = tmp_path / name
        directory.mkdir()
        if name == "prices.parquet":
            as_parquet(directory, GOOD)
        else:
            write(directory, gzip.compress(GOOD.encode()) if name.endswith("gz") else GOOD, name)
        bars.append(check(await fetch(directory)).bars)

    assert bars[0].equals(bars[1])
    assert bars[0].equals(bars[2])


@pytest.mark.parametrize("kind", ["str", "datetime64[ns]", "datetime64[s]", "date32[day][pyarrow]"])
async def test_files_in_parquet_take_dates_timestamps_and_text(tmp_path: Path, kind: Any) -> None:
    frame = pd.read_csv(write(tmp_path, GOOD))
    (tmp_path / "prices.csv").unlink()
    frame.assign(date=frame["date"].astype(kind)).to_parquet(tmp_path / "prices.parquet")

    fetched = await fetch(tmp_path, "KO", "NOSUCH")

    assert fetched.rows.close.tolist() == [62.5, 62.9]
    assert set(fetched.unavailable) == {"NOSUCH"}


async def test_files_in_parquet_with_nulls_report_them_and_leave_nan_to_the_checks(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"symbol": ["KO", None, "KO"], "date": [date(2022, 3, 1)] * 3, "close": pd.array([None, 1.0, 2.0])}
    )
    frame.to_parquet(tmp_path / "prices.parquet")

    assert told(await fetch(tmp_path)) == [(None, Rule.MISSING_VALUE, None), ("KO", Rule.MISSING_VALUE, None)]


async def test_files_in_parquet_know_symbols_whose_rows_were_not_read(tmp_path: Path) -> None:
    as_parquet(tmp_path, GOOD.replace("KO,2022", "KO,2012"))

    fetched = await fetch(tmp_path)

    assert fetched.unavailable["KO"].detail == "no readable row in prices.parquet from 2022-03-01 to 2022-03-31"


YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits
2022-03-01 00:00:00-05:00,20,21,19,20.0,19.6,400,0.0,0.0
2022-03-02 00:00:00-05:00,21,22,20,21.0,20.8,500,0.5,0.0
2022-03-03 00:00:00-05:00,22,23,21,22.0,22.0,300,0.0,4.0
"""


def directory_of(root: Path, **texts: str) -> Path:
    (root / "prices").mkdir()
    for symbol, text in texts.items():
        write(root / "prices", text, f"{symbol}.csv")
    return root


@pytest.mark.parametrize(
    ("header", "closes"),
    [
        ("Ticker,DateTime,Closing Price,Adj. Close", "adjusted"),
        ("TICKER,timestamp,CLOSE/LAST,AdjClose", "adjusted"),
        ("Symbol,Date,Close*,Adj Close**", "adjusted"),
        ("symbol,date,close,Dividends", "dividend"),
        ("symbol,date,close,Ex-Dividend", "dividend"),
        ("symbol,date,close,divCash", "dividend"),
        ("symbol,date,close,Stock Splits", "split"),
        ("symbol,date,close,split_factor", "split"),
        ("symbol,date,close,Split Coefficient", "split"),
    ],
)
async def test_files_know_the_columns_of_vendors(tmp_path: Path, header: str, closes: str) -> None:
    write(tmp_path, GOOD.replace("symbol,date,close,adj_close", header))

    fetched = await fetch(tmp_path)

    assert fetched.findings == ()
    assert getattr(fetched.rows, closes).tolist() == [161.5, 164.8, 60.1, 60.5]


@pytest.mark.parametrize("name", ["Adj. Cloze", "Dividend Yield", "Stock Split Date", "closes"])
async def test_files_with_a_column_that_looks_like_one_of_ours_say_so(tmp_path: Path, name: str) -> None:
    write(tmp_path, GOOD.replace("adj_close", name))

    fetched = await fetch(tmp_path)

    (finding,) = fetched.findings
    assert (finding.rule, finding.line, repr(name) in finding.detail) == (Rule.UNKNOWN_COLUMN, 1, True)
    assert len(fetched.rows) == 4


@pytest.mark.parametrize("name", ["note", "Adj. Open", "Capital Gains", "exchange", "vwap", "openinterest"])
async def test_files_with_a_column_of_another_kind_say_nothing(tmp_path: Path, name: str) -> None:
    write(tmp_path, GOOD.replace("adj_close", name))
    assert (await fetch(tmp_path)).findings == ()


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2022-03-03 00:00:00-05:00", 3),
        ("2022-03-03T05:00:00Z", 3),
        ("2022-03-03T21:00:00.000Z", 3),
        ("2022-03-04T01:00:00+00:00", 3),
        ("2022-03-03 23:30:00-05:00", 3),
        ("2022-03-03T00:00:00Z", 3),
        ("2022-03-03 16:00:00", 3),
        ("2022-03-04 06:00:00+09:00", 3),
        ("2022-03-04 05:00:00 UTC", 4),
    ],
)
async def test_files_take_the_day_in_new_york_of_a_moment(tmp_path: Path, moment: str, day: int) -> None:
    write(tmp_path, GOOD + f"KO,{moment},63,61\n")

    fetched = await fetch(tmp_path, "KO")

    assert fetched.findings == ()
    assert fetched.rows.day[-1].item() == date(2022, 3, day)


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("clock", ["00:00", "16:00"])
async def test_files_in_parquet_take_the_day_in_new_york_of_a_moment(tmp_path: Path, zone: str, clock: str) -> None:
    frame = pd.read_csv(write(tmp_path, GOOD))
    (tmp_path / "prices.csv").unlink()
    moments = pd.to_datetime(frame["date"] + f" {clock}")
    there = moments.dt.tz_localize(zone if clock == "00:00" else "America/New_York").dt.tz_convert(zone)
    frame.assign(date=there).to_parquet(tmp_path / "prices.parquet")

    days = (await fetch(tmp_path, "KO")).rows.day.tolist()

    assert days == [date(2022, 3, 1), date(2022, 3, 2)]


async def test_files_of_one_symbol_each_are_one_table(tmp_path: Path) -> None:
    plain = "Date,Close\n2022-03-01,62.5\n2022-03-02,x\n2022-03-03,63\n"
    directory_of(tmp_path, AAPL=YAHOO, **{"BRK-B": plain, "BAD": "Date,Price\n"})

    fetched = await fetch(tmp_path, "AAPL", "BRK.B", "BAD", "NONE")

    assert fetched.rows.symbols == ("AAPL", "BRK.B")
    assert fetched.rows.close.tolist() == [20, 21, 22, 62.5, 63]
    assert told(fetched) == [("BAD", Rule.UNREADABLE_FILE, None), ("BRK.B", Rule.UNPARSABLE_NUMBER, 3)]
    assert "BAD.csv must have a column 'close', had 'Date', 'Price'" in fetched.findings[0].detail
    assert fetched.unavailable["NONE"].detail == "not in prices"


async def test_files_of_one_symbol_each_are_read_again_when_one_has_changed(tmp_path: Path) -> None:
    provider = FilesProvider(directory_of(tmp_path, AAPL=YAHOO, KO="Date,Close\n2022-03-01,62\n"))
    before = await provider.edition(Kind.BARS)
    assert (await provider.fetch_bars(["KO"], FIRST, LAST)).rows.close.tolist() == [62]

    write(tmp_path / "prices", "Date,Close\n2022-03-01,62.5\n", "KO.csv")

    assert await provider.edition(Kind.BARS) != before
    assert (await provider.fetch_bars(["KO"], FIRST, LAST)).rows.close.tolist() == [62.5]


async def test_directory_without_a_file_knows_nobody(tmp_path: Path) -> None:
    fetched = await fetch(directory_of(tmp_path))
    assert (len(fetched.rows), set(fetched.unavailable)) == (0, {"AAPL", "KO"})


async def test_closes_that_a_vendor_adjusted_for_splits_are_those_that_were_traded(tmp_path: Path) -> None:
    # 4:1 on the third day: 20 of today were 80 then, a dividend of 0.50 was 2.00, a volume of 400 was 100
    lines = YAHOO.splitlines()
    basis = ["close_basis", *["split-adjusted"] * 3]
    directory_of(tmp_path, AAPL="\n".join(f"{line},{cell}" for line, cell in zip(lines, basis, strict=True)))

    rows = (await fetch(tmp_path, "AAPL")).rows

    assert rows.close.tolist() == [80, 84, 22]
    assert (rows.open.tolist(), rows.high.tolist(), rows.low.tolist()) == ([80, 84, 22], [84, 88, 23], [76, 80, 21])
    assert (rows.volume.tolist(), rows.dividend.tolist()) == ([100, 125, 300], [0, 2, 0])
    assert (rows.adjusted.tolist(), rows.split.tolist()) == ([19.6, 20.8, 22.0], [0, 0, 4])


async def test_basis_of_closes_is_that_of_each_row_and_one_that_nobody_knows_is_a_finding(tmp_path: Path) -> None:
    rows = ["01,20,,Split Adjusted", "02,84,,as traded", "03,21,,", "04,22,4,", "04,22,4,", "07,22,,total return"]
    write(tmp_path, "symbol,date,close,split,close_basis\n" + "".join(f"KO,2022-03-{row}\n" for row in rows))

    fetched = await fetch(tmp_path, "KO")

    assert fetched.rows.close.tolist() == [80, 84, 21, 22, 22]
    (finding,) = fetched.findings
    assert (finding.rule, finding.line, finding.detail) == (Rule.UNKNOWN_LABEL, 7, "close_basis 'total return'")


async def test_files_find_a_share_class_in_either_spelling(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("KO", "BRK-B"))

    fetched = await fetch(tmp_path, "BRK.B", "BRK-B")

    assert fetched.rows.symbols == ("BRK.B", "BRK-B")
    assert fetched.rows.close.tolist() == [62.5, 62.9] * 2


async def test_files_with_countless_broken_rows_report_the_first_and_count_the_others(tmp_path: Path) -> None:
    many = price_table.MAX_UNREAD_ROWS
    write(tmp_path, GOOD + "KO,bad,1,1\n" * many + "KO\n" * 5)

    fetched = await fetch(tmp_path)

    assert (len(fetched.findings), fetched.findings_omitted) == (many, 5)
    assert len(fetched.rows) == 4


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """The `since` of each parse."""
    calls: list[date] = []
    original = price_directory.read_prices

    def counting(path: Path, since: date) -> price_table.PriceTable:
        calls.append(since)
        return original(path, since)

    monkeypatch.setattr(files, "read_prices", counting)
    return calls


async def test_files_asked_by_many_at_once_are_parsed_once(tmp_path: Path, parses: list[date]) -> None:
    write(tmp_path, GOOD)
    provider = FilesProvider(tmp_path)

    await asyncio.gather(*(provider.fetch_bars(["KO"], FIRST, LAST) for _ in range(8)))
    await provider.fetch_bars(["AAPL"], date(2021, 3, 1), LAST)

    assert len(parses) == 1


async def test_files_that_changed_or_are_asked_for_more_are_parsed_again(tmp_path: Path, parses: list[date]) -> None:
    path = write(tmp_path, GOOD)
    provider = FilesProvider(tmp_path)
    await provider.fetch_bars(["KO"], FIRST, LAST)
    stamp = path.stat()
    write(tmp_path, GOOD.replace("62.5", "62.6"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))

    changed = await provider.fetch_bars(["KO"], FIRST, LAST)
    await provider.fetch_bars(["KO"], date(2019, 1, 1), LAST)

    assert changed.rows.close.tolist() == [62.6, 62.9]
    assert len(parses) == 3


async def test_files_that_are_repaired_after_an_error_are_used(tmp_path: Path) -> None:
    provider = FilesProvider(tmp_path)
    write(tmp_path, "")
    with pytest.raises(UnreadableFile):
        await provider.fetch_bars(["KO"], FIRST, LAST)

    write(tmp_path, GOOD)

    assert len((await provider.fetch_bars(["KO"], FIRST, LAST)).rows) == 2


async def test_files_without_a_broken_row_of_the_symbols_asked_for_report_nothing(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "XOM,2022-03-03,x,1\nKO,2021-03-03,x,1\n")

    assert told(await fetch(tmp_path)) == []


async def test_profiles_with_bad_cells_keep_the_rest_of_the_row(tmp_path: Path) -> None:
    text = (
        "symbol,name,sector,beta,beta_as_of,market_cap,is_etf,extra\n"
        'AMZN,"Amazon.com, Inc.",Consumer Discretionary,1.2,2022-03-01,1e12,no,?\n'
        "KO,Coca-Cola,,0.6,,many,maybe,\n"
        "KO,Coca-Cola again,,,,,,\n"
        "PEP,PepsiCo\n"
        ",nobody,,,,,,\n"
    )
    write(tmp_path, text, "profiles.csv")

    fetched = await FilesProvider(tmp_path).fetch_profiles(["AMZN", "KO", "PEP"])

    amazon, coke = fetched.profiles["AMZN"], fetched.profiles["KO"]
    assert (amazon.name, amazon.beta, amazon.beta_as_of, amazon.market_cap, amazon.is_etf) == (
        "Amazon.com, Inc.",
        1.2,
        date(2022, 3, 1),
        1e12,
        False,
    )
    assert (coke.name, coke.sector, coke.beta, coke.market_cap, coke.is_etf) == ("Coca-Cola", None, None, None, None)
    assert set(fetched.unavailable) == {"PEP"}
    assert [(f.symbol, f.rule, f.line) for f in fetched.findings] == [
        ("KO", Rule.UNUSABLE_FIELD, 3),
        ("KO", Rule.UNPARSABLE_NUMBER, 3),
        ("KO", Rule.MISSING_VALUE, 3),
        ("KO", Rule.DUPLICATE_CONFLICTING, 4),
        (None, Rule.WRONG_CELL_COUNT, 5),
        (None, Rule.MISSING_VALUE, 6),
    ]


async def test_profile_cells_of_every_kind_outside_of_what_they_can_be_are_reported_with_their_line(
    tmp_path: Path,
) -> None:
    text = (
        "symbol,description,employees,recommendation_mean,fiscal_year_end,shares_outstanding,next_earnings_date,ceo\n"
        'KO,"two\nlines",81000.0,1.9,12-31,4.3e9,2022-04-25,James Quincey\n'
        f"PEP,{'x' * 1001},1.5,5.1,31-12,0,25/4/2022,a\x00b\n"
        "AMZN,,1e300,nan,,-1,,\n"
    )
    write(tmp_path, text, "profiles.csv")

    fetched = await FilesProvider(tmp_path).fetch_profiles(["AMZN", "KO", "PEP"])

    coke, pepsi = fetched.profiles["KO"], fetched.profiles["PEP"]
    assert (coke.description, coke.employees, coke.fiscal_year_end) == ("two\nlines", 81000, "12-31")
    assert (coke.recommendation_mean, coke.next_earnings_date) == (1.9, date(2022, 4, 25))
    assert pepsi.model_dump(exclude_none=True) == {"symbol": "PEP", "description": "x" * 1000}
    assert fetched.profiles["AMZN"].model_dump(exclude_none=True) == {"symbol": "AMZN"}
    assert [(f.rule, f.line, f.detail.split()[0]) for f in fetched.findings if f.symbol == "PEP"] == [
        (Rule.UNUSABLE_FIELD, 4, "shares_outstanding"),
        (Rule.UNUSABLE_FIELD, 4, "description"),
        (Rule.UNUSABLE_FIELD, 4, "ceo"),
        (Rule.UNUSABLE_FIELD, 4, "employees"),
        (Rule.UNUSABLE_FIELD, 4, "recommendation_mean"),
        (Rule.UNUSABLE_FIELD, 4, "fiscal_year_end"),
        (Rule.UNPARSABLE_DATE, 4, "next_earnings_date"),
    ]
    assert [(f.rule, f.line) for f in fetched.findings if f.symbol == "AMZN"] == [
        (Rule.UNUSABLE_FIELD, 5),
        (Rule.UNUSABLE_FIELD, 5),
        (Rule.UNPARSABLE_NUMBER, 5),
    ]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", MissingColumn),
        (b"name\nx\n", MissingColumn),
        (b"symbol,name\nKO,\xff\n", WrongEncoding),
        (b"symbol,name\nKO,a\x00b\n" + b'X,"' + b"y" * 200_000, UnreadableFile),
    ],
)
async def test_profiles_that_cannot_be_used_give_one_error(
    tmp_path: Path, content: bytes, error: type[ProviderError]
) -> None:
    write(tmp_path, content, "profiles.csv")

    with pytest.raises(error, match=r"profiles\.csv"):
        await FilesProvider(tmp_path).fetch_profiles(["KO"])


async def test_profiles_without_a_file_are_unavailable(tmp_path: Path) -> None:
    fetched = await FilesProvider(tmp_path).fetch_profiles(["KO"])

    assert fetched.unavailable["KO"].detail == "there is no profiles.csv"


PENCE = "symbol,date,open,close,adj_close,dividend,volume\nSHLP.L,2022-03-01,2390,2417,2400,12,100\n"


@pytest.mark.parametrize(("said", "currency"), [("GBp", "GBP"), ("GBX", "GBP"), ("ZAc", "ZAR"), ("ILA", "ILS")])
@pytest.mark.parametrize("by", ["profile", "price"])
async def test_prices_in_hundredths_are_those_of_whole_units(tmp_path: Path, said: str, currency: str, by: str) -> None:
    profiles = "symbol,currency,week_52_high,market_cap\nSHLP.L,{},2500,7000\n"
    if by == "profile":
        write(tmp_path, PENCE)
        write(tmp_path, profiles.format(said), "profiles.csv")
    else:
        write(tmp_path, PENCE.replace("volume\n", "volume,Currency\n").replace(",100\n", f",100,{said}\n"))

    rows = (await fetch(tmp_path, "SHLP.L")).rows
    profile = (await FilesProvider(tmp_path).fetch_profiles(["SHLP.L"])).profiles["SHLP.L"]

    assert (rows.open[0], rows.close[0], rows.adjusted[0], rows.dividend[0]) == (23.90, 24.17, 24.0, 0.12)
    assert rows.volume[0] == 100
    assert profile.currency == currency
    if by == "profile":
        assert (profile.week_52_high, profile.market_cap) == (25.0, 7000.0)


async def test_prices_in_pounds_stay_whatever_else_is_in_pence(tmp_path: Path) -> None:
    write(tmp_path, PENCE + "AZN.L,2022-03-01,,100,100,,\n")
    write(tmp_path, "symbol,currency\nSHLP.L,GBp\nAZN.L,gbp\n", "profiles.csv")

    fetched = await fetch(tmp_path, "AZN.L", "SHLP.L")
    profiles = (await FilesProvider(tmp_path).fetch_profiles(["AZN.L", "SHLP.L"])).profiles

    assert fetched.rows.close.tolist() == [100.0, 24.17]
    assert {profile.currency for profile in profiles.values()} == {"GBP"}


async def test_price_file_has_the_word_on_its_own_currency(tmp_path: Path) -> None:
    write(tmp_path, PENCE.replace("volume\n", "volume,currency\n").replace(",100\n", ",100,GBP\n"))
    write(tmp_path, "symbol,name,currency\nSHLP.L,Shell-like,GBp\n", "profiles.csv")

    fetched = await fetch(tmp_path, "SHLP.L")
    profile = (await FilesProvider(tmp_path).fetch_profiles(["SHLP.L"])).profiles["SHLP.L"]

    assert fetched.rows.close.tolist() == [2417.0]
    assert (profile.name, profile.currency) == ("Shell-like", "GBP")


async def test_currency_that_is_none_is_a_finding(tmp_path: Path) -> None:
    write(tmp_path, PENCE.replace("volume\n", "volume,currency\n").replace(",100\n", ",100,pounds\n"))
    write(tmp_path, "symbol,currency\nKO,dollars\n", "profiles.csv")

    prices = await fetch(tmp_path, "SHLP.L")
    profiles = await FilesProvider(tmp_path).fetch_profiles(["KO"])

    assert told(prices) == [("SHLP.L", Rule.UNKNOWN_LABEL, 2)]
    assert [finding.rule for finding in profiles.findings] == [Rule.UNUSABLE_FIELD]
    assert profiles.profiles["KO"].currency is None


async def test_prices_are_served_though_the_profiles_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, "name\nx\n", "profiles.csv")

    assert len((await fetch(tmp_path)).rows) == 4
