from datetime import date
from pathlib import Path

import pytest

from services.market_data.core.findings import Rule
from services.market_data.core.statements import GivenStatement, Period
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.provider import (
    FetchedStatements,
    Kind,
    MissingColumn,
    ProviderError,
    UnreadableFile,
    WrongEncoding,
)
from tests.unit.market_data.providers.directories import write

HEADER = "symbol,statement,frequency,period_end,published_on,currency,fiscal_year,fiscal_quarter"
GOOD = f"""{HEADER},total_revenue,net_income,total_assets,depreciation_and_amortization,note
KO,income,quarterly,2021-12-31,2022-02-10,USD,2021,4,9.464e9,2414000000,,371e6,é
KO,balance,quarterly,2021-12-31,2022-02-10,USD,2021,4,,,94354000000,,
KO,cash_flow,annual,2021-12-31,,USD,2021,,,,,1452000000,
PEP,income,annual,2021-12-25,,,,,79474000000,,,,
"""


async def fetch(directory: Path, *symbols: str) -> FetchedStatements:
    return await FilesProvider(directory).fetch_statements(symbols or ("KO", "PEP"))


async def test_statements_are_read_with_the_items_that_are_given_and_no_others(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "fundamentals.csv")

    fetched = await fetch(tmp_path, "KO", "XYZ")

    assert fetched.statements == {
        "KO": [
            GivenStatement(
                Period("KO", "income", "quarterly", date(2021, 12, 31)),
                {"total_revenue": 9.464e9, "net_income": 2.414e9, "depreciation_and_amortization": 3.71e8},
                date(2022, 2, 10),
                "USD",
                2021,
                4,
            ),
            GivenStatement(
                Period("KO", "balance", "quarterly", date(2021, 12, 31)),
                {"total_assets": 9.4354e10},
                date(2022, 2, 10),
                "USD",
                2021,
                4,
            ),
            GivenStatement(
                Period("KO", "cash_flow", "annual", date(2021, 12, 31)),
                {"depreciation_and_amortization": 1.452e9},
                None,
                "USD",
                2021,
            ),
        ]
    }
    assert [(row.file, row.line) for row in fetched.statements["KO"]] == [("fundamentals.csv", n) for n in (2, 3, 4)]
    assert fetched.unavailable["XYZ"].detail == "not in fundamentals.csv"
    assert fetched.findings == ()


@pytest.mark.parametrize(
    ("row", "rule", "day"),
    [
        ("KO,profit,annual,2021-12-31,,,,,1,,,,", Rule.UNKNOWN_LABEL, None),
        ("KO,income,monthly,2021-12-31,,,,,1,,,,", Rule.UNKNOWN_LABEL, None),
        ("KO,,annual,2021-12-31,,,,,1,,,,", Rule.UNKNOWN_LABEL, None),
        ("KO,income,annual,,,,,,1,,,,", Rule.MISSING_VALUE, None),
        ("KO,income,annual,31.12.2021,,,,,1,,,,", Rule.UNPARSABLE_DATE, None),
        ("KO,income,annual,2021-12-31", Rule.WRONG_CELL_COUNT, None),
        (",income,annual,2021-12-31,,,,,1,,,,", Rule.MISSING_VALUE, None),
    ],
)
async def test_row_that_cannot_be_read_is_left_out_with_its_line_and_the_rest_is_loaded(
    tmp_path: Path, row: str, rule: Rule, day: date | None
) -> None:
    lines = GOOD.splitlines()
    write(tmp_path, "\n".join([*lines[:2], row, "", *lines[2:]]), "fundamentals.csv")

    fetched = await fetch(tmp_path)

    (finding,) = fetched.findings
    assert (finding.rule, finding.day, finding.file, finding.line) == (rule, day, "fundamentals.csv", 3)
    assert [len(rows) for rows in fetched.statements.values()] == [3, 1]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("KO,income,annual,2020-12-31,,,,,much,7,,,", Rule.UNPARSABLE_NUMBER),
        ("KO,income,annual,2020-12-31,,,,,NaN,7,,,", Rule.UNPARSABLE_NUMBER),
        ("KO,income,annual,2020-12-31,,,,,inf,7,,,", Rule.UNPARSABLE_NUMBER),
        ("KO,income,annual,2020-12-31,,,,,-1e999,7,,,", Rule.UNPARSABLE_NUMBER),
        ("KO,income,annual,2020-12-31,soon,,,,,7,,,", Rule.UNPARSABLE_DATE),
        ("KO,income,annual,2020-12-31,,,2020.5,,,7,,,", Rule.UNUSABLE_FIELD),
        ("KO,income,annual,2020-12-31,,,,second,,7,,,", Rule.UNPARSABLE_NUMBER),
    ],
)
async def test_cell_that_cannot_be_read_is_left_out_and_its_row_is_kept(tmp_path: Path, row: str, rule: Rule) -> None:
    write(tmp_path, GOOD + row + "\n", "fundamentals.csv")

    fetched = await fetch(tmp_path, "KO")

    assert [(f.rule, f.symbol, f.day, f.line) for f in fetched.findings] == [(rule, "KO", date(2020, 12, 31), 6)]
    kept = fetched.statements["KO"][-1]
    assert (kept.items, kept.published_on, kept.fiscal_year) == ({"net_income": 7.0}, None, None)


async def test_statements_of_a_share_class_are_found_in_either_spelling_and_named_as_asked(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("PEP", "brk-b"), "fundamentals.csv")

    fetched = await fetch(tmp_path, "BRK.B")

    assert [row.period.symbol for row in fetched.statements["BRK.B"]] == ["BRK.B"]


async def test_statements_report_nothing_about_companies_that_were_not_asked_for(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "PEP,income,annual,2020-12-31,,,,,much,,,,\n", "fundamentals.csv")

    assert (await fetch(tmp_path, "KO")).findings == ()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", MissingColumn),
        (b"symbol,statement,frequency\n", MissingColumn),
        (GOOD.replace("period_end", "end").encode(), MissingColumn),
        (GOOD.encode() + b"KO,\xff\n", WrongEncoding),
        (b'"' + b"y" * 200_000, UnreadableFile),
    ],
)
async def test_file_of_statements_that_cannot_be_used_gives_one_error(
    tmp_path: Path, content: bytes, error: type[ProviderError]
) -> None:
    write(tmp_path, content, "fundamentals.csv")

    with pytest.raises(error, match=r"fundamentals\.csv"):
        await fetch(tmp_path)


async def test_statements_without_a_file_are_unavailable(tmp_path: Path) -> None:
    assert (await fetch(tmp_path, "KO")).unavailable["KO"].detail == "there is no fundamentals.csv"


async def test_edition_of_each_kind_changes_with_its_own_file_only(tmp_path: Path) -> None:
    files = {Kind.BARS: "prices.csv", Kind.PROFILES: "profiles.csv", Kind.STATEMENTS: "fundamentals.csv"}
    provider = FilesProvider(tmp_path)
    write(tmp_path, "symbol,date,close\n")

    for changed, name in files.items():
        for text in ("symbol,date,close,sector\n", "symbol,date,close,statement,frequency,period_end\n"):
            before = {kind: await provider.edition(kind) for kind in Kind}
            write(tmp_path, text, name)
            after = {kind: await provider.edition(kind) for kind in Kind}
            assert [kind for kind in Kind if before[kind] != after[kind]] == [changed]


async def test_changed_file_of_statements_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "fundamentals.csv")
    provider = FilesProvider(tmp_path)
    await provider.fetch_statements(["KO"])

    write(tmp_path, GOOD.replace("2414000000", "2400000000.5"), "fundamentals.csv")

    assert (await provider.fetch_statements(["KO"])).statements["KO"][0].items["net_income"] == 2_400_000_000.5
