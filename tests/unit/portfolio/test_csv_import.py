"""The positions file: every way in which a row can be wrong, and nothing half applied."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core import csv_import
from services.portfolio.core.csv_import import CsvImport, parse_positions_csv
from services.portfolio.core.csv_rows import COLUMNS
from services.portfolio.core.positions import Exit, OptionTerms, PositionTerms, PositionType

TODAY = date(2025, 6, 10)
HEADER = ",".join(COLUMNS)


def parse(*lines: str, header: str = HEADER) -> CsvImport:
    return parse_positions_csv("\n".join((header, *lines)).encode(), today=TODAY)


def found(outcome: CsvImport) -> list[tuple[int, str, str]]:
    return [(error.line, error.field, error.code) for error in outcome.errors]


def test_file_with_every_kind_of_row_gives_their_terms() -> None:
    outcome = parse(
        "AAPL,100,158.00,2025-01-06,PUBLIC,STOCK,,,,,,",
        "tsla,-50.5,245.1234,2025-01-07,,,,,,,2025-02-03,230",
        "SPY_C450,-2,3.1,2025-01-06,OPTIONS,CALL,SPY,450,2025-12-19,CALL,,",
        "SPY_P400,1,2,2025-01-06,,,SPY,400,2025-12-19,put,,",
        "CASH_USD,1000,1,2025-01-06,,,,,,,,",
        "HOME,1,500000,2020-01-06,PRIVATE,REAL_ESTATE,,,,,,",
    )
    day = date(2025, 1, 6)
    assert outcome.errors == ()
    assert outcome.positions == (
        PositionTerms("AAPL", PositionType.LONG, Decimal(100), day, Decimal("158.00"), subtype="STOCK"),
        PositionTerms(
            "TSLA",
            PositionType.SHORT,
            Decimal("-50.5"),
            date(2025, 1, 7),
            Decimal("245.1234"),
            (Exit(date(2025, 2, 3), Decimal(230)),),
        ),
        PositionTerms(
            "SPY_C450",
            PositionType.SC,
            Decimal(-2),
            day,
            Decimal("3.1"),
            subtype="CALL",
            option=OptionTerms("SPY", Decimal(450), date(2025, 12, 19)),
        ),
        PositionTerms(
            "SPY_P400",
            PositionType.LP,
            Decimal(1),
            day,
            Decimal(2),
            option=OptionTerms("SPY", Decimal(400), date(2025, 12, 19)),
        ),
        PositionTerms("CASH_USD", PositionType.PRIVATE, Decimal(1000), day, Decimal(1)),
        PositionTerms(
            "HOME", PositionType.PRIVATE, Decimal(1), date(2020, 1, 6), Decimal(500000), subtype="REAL_ESTATE"
        ),
    )


def test_file_with_four_columns_in_another_order_is_enough() -> None:
    outcome = parse("2025-01-06,10,AAPL,5", header="Entry Date,Entry Price Per Share,Symbol,Quantity")
    assert outcome.positions == (PositionTerms("AAPL", PositionType.LONG, Decimal(5), date(2025, 1, 6), Decimal(10)),)


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        (",1,1,2025-01-06", "Symbol", "ERR_POS_001"),
        ("ABCDEFGHIJKLMNOPQRSTU,1,1,2025-01-06", "Symbol", "ERR_POS_002"),
        ("=CMD(),1,1,2025-01-06", "Symbol", "ERR_POS_003"),
        ("../X,1,1,2025-01-06", "Symbol", "ERR_POS_003"),
        ("ÄÖ,1,1,2025-01-06", "Symbol", "ERR_POS_003"),
        ("AAPL,,1,2025-01-06", "Quantity", "ERR_POS_004"),
        ("AAPL,ten,1,2025-01-06", "Quantity", "ERR_POS_005"),
        ('AAPL,"1,000",1,2025-01-06', "Quantity", "ERR_POS_005"),
        ("AAPL,NaN,1,2025-01-06", "Quantity", "ERR_POS_005"),
        ("AAPL,Infinity,1,2025-01-06", "Quantity", "ERR_POS_005"),
        ("AAPL,1e3,1,2025-01-06", "Quantity", "ERR_POS_005"),
        ("AAPL,١٢,1,2025-01-06", "Quantity", "ERR_POS_005"),
        ("AAPL,1000000000000,1,2025-01-06", "Quantity", "ERR_POS_005"),
        ("AAPL,0.0,1,2025-01-06", "Quantity", "ERR_POS_006"),
        ("AAPL,0.0000001,1,2025-01-06", "Quantity", "ERR_POS_007"),
        ("AAPL,1,,2025-01-06", "Entry Price Per Share", "ERR_POS_008"),
        ("AAPL,1,$5,2025-01-06", "Entry Price Per Share", "ERR_POS_009"),
        ("AAPL,1,100000000,2025-01-06", "Entry Price Per Share", "ERR_POS_009"),
        ("AAPL,1,-5,2025-01-06", "Entry Price Per Share", "ERR_POS_010"),
        ("AAPL,1,0,2025-01-06", "Entry Price Per Share", "ERR_POS_010"),
        ("AAPL,1,5.00001,2025-01-06", "Entry Price Per Share", "ERR_POS_011"),
        ("AAPL,1,5,", "Entry Date", "ERR_POS_012"),
        ("AAPL,1,5,06/01/2025", "Entry Date", "ERR_POS_013"),
        ("AAPL,1,5,20250106", "Entry Date", "ERR_POS_013"),
        ("AAPL,1,5,2025-02-30", "Entry Date", "ERR_POS_013"),
        ("AAPL,1,5,2025-06-11", "Entry Date", "ERR_POS_014"),
        ("AAPL,1,5,1924-12-31", "Entry Date", "ERR_POS_015"),
        ("AAPL,1,5,2025-01-06,STOCKS", "Investment Class", "ERR_POS_016"),
        ("AAPL,1,5,2025-01-06,PUBLIC,CALL", "Investment Subtype", "ERR_POS_017"),
        ("AAPL,1,5,2025-01-06,,,,,,,2025-01-05,6", "Exit Date", "ERR_POS_018"),
        ("AAPL,1,5,2025-01-06,,,,,,,2025-06-11,6", "Exit Date", "ERR_POS_014"),
        ("AAPL,1,5,2025-01-06,,,,,,,,6", "Exit Date", "ERR_POS_012"),
        ("AAPL,1,5,2025-01-06,,,,,,,2025-02-03,", "Exit Price Per Share", "ERR_POS_008"),
        ("AAPL,1,5,2025-01-06,,,,,,,2025-02-03,abc", "Exit Price Per Share", "ERR_POS_009"),
        ("C1,1,5,2025-01-06,OPTIONS,,,450,2025-12-19,CALL", "Underlying Symbol", "ERR_POS_019"),
        ("C1,1,5,2025-01-06,OPTIONS,,SPY,,2025-12-19,CALL", "Strike Price", "ERR_POS_020"),
        ("C1,1,5,2025-01-06,OPTIONS,,SPY,450,never,CALL", "Expiration Date", "ERR_POS_021"),
        ("C1,1,5,2025-01-06,OPTIONS,,SPY,450,2025-12-19,STRADDLE", "Option Type", "ERR_POS_022"),
        ("AAPL,999999999999,2,2025-01-06", "Quantity", "ERR_POS_024"),
    ],
)
def test_row_with_one_mistake_is_rejected_with_line_column_and_code(row: str, field: str, code: str) -> None:
    outcome = parse("GOOD,1,1,2025-01-06", row)
    assert found(outcome) == [(3, field, code)]
    assert outcome.positions == ()


def test_file_reports_all_errors_of_all_rows_at_once() -> None:
    outcome = parse("AAPL,x,0,2025-01-06", "GOOD,1,1,2025-01-06", "B B,1,1,tomorrow")
    assert found(outcome) == [
        (2, "Quantity", "ERR_POS_005"),
        (2, "Entry Price Per Share", "ERR_POS_010"),
        (4, "Symbol", "ERR_POS_003"),
        (4, "Entry Date", "ERR_POS_013"),
    ]


def test_defect_o32_row_that_repeats_another_names_its_line() -> None:
    outcome = parse("AAPL,1,5,2025-01-06", "AAPL,1,5,2025-01-07", "aapl,2,6,2025-01-06")
    assert found(outcome) == [(4, "Symbol", "ERR_POS_023")]
    assert "line 2" in outcome.errors[0].message


def test_lines_are_counted_with_comments_blank_lines_and_windows_line_ends() -> None:
    text = f"# my book\r\n{HEADER}\r\n\r\n# tech\r\nAAPL,x,5,2025-01-06\r\n"
    outcome = parse_positions_csv(text.encode(), today=TODAY)
    assert found(outcome) == [(5, "Quantity", "ERR_POS_005")]


def test_file_with_byte_order_mark_is_read() -> None:
    outcome = parse_positions_csv(f"\ufeff{HEADER}\nAAPL,1,5,2025-01-06\n".encode(), today=TODAY)
    assert [terms.symbol for terms in outcome.positions] == ["AAPL"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "ERR_CSV_003"),
        (b"\n\n# nothing\n", "ERR_CSV_003"),
        (HEADER.encode(), "ERR_CSV_003"),
        (b"\xff\xfeS\x00y\x00", "ERR_CSV_006"),
        (HEADER.encode() + b"\nAA\0PL,1,5,2025-01-06", "ERR_CSV_006"),
        (HEADER.encode() + b'\n"AAPL,1,5,2025-01-06', "ERR_CSV_006"),
        (HEADER.encode() + b"\nAAPL,1,5,2025-01-06" + b"," * 20, "ERR_CSV_006"),
        (b"Symbol,Quantity,Entry Date\nAAPL,1,2025-01-06", "ERR_CSV_004"),
        (HEADER.encode() + b",Colour\nAAPL,1,5,2025-01-06", "ERR_CSV_005"),
        (HEADER.encode() + b",Symbol\nAAPL,1,5,2025-01-06", "ERR_CSV_005"),
    ],
)
def test_file_that_is_no_positions_file_is_rejected_as_a_whole(content: bytes, code: str) -> None:
    outcome = parse_positions_csv(content, today=TODAY)
    assert [error.code for error in outcome.errors] == [code]
    assert outcome.positions == ()


def test_file_over_the_limits_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"S{index},1,5,2025-01-06" for index in range(4)]
    monkeypatch.setattr(csv_import, "MAX_ROWS", 4)
    assert len(parse(*rows).positions) == 4
    monkeypatch.setattr(csv_import, "MAX_ROWS", 3)
    assert found(parse(*rows)) == [(5, "row", "ERR_CSV_007")]
    monkeypatch.setattr(csv_import, "MAX_BYTES", 50)
    assert found(parse(*rows)) == [(0, "file", "ERR_CSV_001")]


def test_error_message_does_not_repeat_a_huge_value() -> None:
    outcome = parse(f"AAPL,{'9' * 5000},1,2025-01-06")
    assert len(outcome.errors[0].message) < 200


@given(st.binary(max_size=300))
def test_any_bytes_give_positions_or_errors_never_both(tail: bytes) -> None:
    outcome = parse_positions_csv(HEADER.encode() + b"\nAAPL,1,5,2025-01-06\n" + tail, today=TODAY)
    assert bool(outcome.positions) != bool(outcome.errors)
