"""The positions file: every way in which a row can be wrong, and nothing half applied."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core import csv_import, csv_table
from services.portfolio.core.csv_import import CsvImport, parse_positions_csv
from services.portfolio.core.csv_rows import BASIS, COLUMNS
from services.portfolio.core.positions import Basis, Exit, OptionTerms, PositionTerms, PositionType

TODAY = date(2025, 6, 10)
HEADER = ",".join(column for column in COLUMNS if column != BASIS)


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
        ("AAPL,0.00000000001,1,2025-01-06", "Quantity", "ERR_POS_007"),
        ("AAPL,1,,2025-01-06", "Entry Price Per Share", "ERR_POS_008"),
        ("AAPL,1,$5,2025-01-06", "Entry Price Per Share", "ERR_POS_009"),
        ("AAPL,1,100000000,2025-01-06", "Entry Price Per Share", "ERR_POS_009"),
        ("AAPL,1,-5,2025-01-06", "Entry Price Per Share", "ERR_POS_010"),
        ("AAPL,1,-0.01,2025-01-06", "Entry Price Per Share", "ERR_POS_010"),
        ("AAPL,-1,0,2025-01-06", "Entry Price Per Share", "ERR_POS_010"),
        ("C1,1,0,2025-01-06,OPTIONS,,SPY,450,2025-12-19,CALL", "Entry Price Per Share", "ERR_POS_010"),
        ("AAPL,1,5.00000000001,2025-01-06", "Entry Price Per Share", "ERR_POS_011"),
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
        ("AAPL,1,5,2025-01-06,,,,,,,2025-02-03,0", "Exit Price Per Share", "ERR_POS_010"),
        ("AAPL,1,5,2025-01-06,,,,,,,2025-02-03,6,-1", "Exit Quantity", "ERR_POS_026"),
        ("AAPL,1,5,2025-01-06,,,,,,,2025-02-03,6,all", "Exit Quantity", "ERR_POS_026"),
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
    outcome = parse("AAPL,x,-1,2025-01-06", "GOOD,1,1,2025-01-06", "B B B,1,1,tomorrow")
    assert found(outcome) == [
        (2, "Quantity", "ERR_POS_005"),
        (2, "Entry Price Per Share", "ERR_POS_010"),
        (4, "Symbol", "ERR_POS_003"),
        (4, "Entry Date", "ERR_POS_013"),
    ]


def test_defect_o32_rows_of_one_symbol_and_day_are_lots() -> None:
    outcome = parse("AAPL,1,5,2025-01-06", "AAPL,1,5,2025-01-07", "aapl,2,6,2025-01-06")
    assert [(int(terms.quantity), terms.entry_date.day) for terms in outcome.positions] == [(1, 6), (1, 7), (2, 6)]


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
        (HEADER.encode() + b"\nAAPL,1,5,2025-01-06" + b"," * 20 + b"x", "ERR_CSV_006"),
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
    monkeypatch.setattr(csv_table, "MAX_ROWS", 4)
    assert len(parse(*rows).positions) == 4
    monkeypatch.setattr(csv_table, "MAX_ROWS", 3)
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


def test_exits_have_columns_of_their_own_in_their_order() -> None:
    header = f"{HEADER},exit date 2,Exit Price Per Share 2,EXIT QUANTITY 2"
    outcome = parse(
        "AAPL,10,5,2025-01-06,,,,,,,2025-02-03,6,4,2025-03-03,7,",
        "MSFT,10,5,2025-01-06,,,,,,,2025-02-03,6,2.5,,,",
        header=header,
    )
    first, second = date(2025, 2, 3), date(2025, 3, 3)
    assert [terms.exits for terms in outcome.positions] == [
        (Exit(first, Decimal(6), Decimal(4)), Exit(second, Decimal(7))),
        (Exit(first, Decimal(6), Decimal("2.5")),),
    ]


@pytest.mark.parametrize(
    ("exits", "field", "code"),
    [
        ("2025-03-03,6,4,2025-02-03,7,", "Exit Date 2", "ERR_POS_018"),
        ("2025-02-03,6,,2025-03-03,7,1", "Exit Date 2", "ERR_POS_027"),
        ("2025-02-03,6,1,2025-03-03,,1", "Exit Price Per Share 2", "ERR_POS_008"),
    ],
)
def test_further_exit_that_cannot_be_is_refused_by_its_column(exits: str, field: str, code: str) -> None:
    header = f"{HEADER},Exit Date 2,Exit Price Per Share 2,Exit Quantity 2"
    assert found(parse(f"AAPL,10,5,2025-01-06,,,,,,,{exits}", header=header)) == [(2, field, code)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_the_one_that_the_first_line_names(separator: str) -> None:
    header, row = separator.join(COLUMNS[:4]), separator.join(("AAPL", "1", "5.25", "2025-01-06"))
    outcome = parse(header, row, header=f"SEP={separator}")
    assert (outcome.errors, outcome.separator) == ((), separator)
    assert found(parse(header, row.replace("5.25", "x"), header=f'"sep={separator}"')) == [
        (3, "Entry Price Per Share", "ERR_POS_009")
    ]


@pytest.mark.parametrize(
    ("price", "read"),
    [("185,50", Decimal("185.50")), ("185", Decimal(185)), ("1.850,50", None), ("1.850", None), ("1,850,5", None)],
)
def test_comma_is_the_sign_of_decimals_of_a_whole_file_between_semicolons(price: str, read: Decimal | None) -> None:
    lines = ("AAPL;0,5;1;2025-01-06", f"MSFT;1;{price};2025-01-06")
    outcome = parse(*lines, header=";".join(COLUMNS[:4]))
    if read is None:
        assert found(outcome) == [(3, "Entry Price Per Share", "ERR_POS_009")]
        assert f"with ',' before decimals, was {price!r}" in outcome.errors[0].message
    else:
        assert [terms.entry_price for terms in outcome.positions] == [1, read]


def test_point_is_the_sign_of_decimals_between_semicolons_where_no_number_has_a_comma() -> None:
    outcome = parse("AAPL;1;185.50;2025-01-06", header=";".join(COLUMNS[:4]))
    assert [terms.entry_price for terms in outcome.positions] == [Decimal("185.50")]


def test_missing_column_is_told_with_the_separator_and_the_header_that_was_seen() -> None:
    (price, day) = parse("AAPL|1|5|2025-01-06", header="Symbol,Quantity,Price|Entry Date").errors[:2]
    assert (price.field, day.field) == ("Entry Price Per Share", "Entry Date")
    assert day.message == (
        "column is missing: between separators ',' the header has 'Symbol', 'Quantity', 'Price|Entry Date'"
    )


def test_unknown_column_is_told_with_the_one_that_it_may_be() -> None:
    (error,) = parse("AAPL,1,5,2025-01-06,x", header=f"{','.join(COLUMNS[:4])},Exit Dat").errors
    assert (error.field, error.message) == ("Exit Dat", "column is not known; is it 'Exit Date'?")


def test_cell_without_a_column_is_told_with_what_is_in_it() -> None:
    (error,) = parse("AAPL,1,5,2025-01-06,,sold", header=f"{','.join(COLUMNS[:4])},,").errors
    assert (error.line, error.message) == (2, "has 'sold' in a cell without a column")


@given(st.sampled_from([",", ";", "\t"]), st.permutations(COLUMNS), st.sampled_from([str.upper, str.lower, str.title]))
def test_header_in_any_order_capitals_and_separator_is_the_same_file(
    separator: str, order: list[str], spell: Callable[[str], str]
) -> None:
    cells = {"Symbol": "AAPL", "Quantity": "1", "Entry Price Per Share": "5.25", "Entry Date": "2025-01-06"}
    header = separator.join(f" {spell(name)}  " for name in order)
    outcome = parse(separator.join(cells.get(name, "") for name in order), header=header)
    assert outcome.positions == (
        PositionTerms("AAPL", PositionType.LONG, Decimal(1), date(2025, 1, 6), Decimal("5.25")),
    )


@pytest.mark.parametrize(
    ("written", "basis"),
    [
        ("", Basis.AS_TRADED),
        ("as traded", Basis.AS_TRADED),
        ("As Of Opening", Basis.AS_OF_OPENING),
        ("AS_OF_OPENING", Basis.AS_OF_OPENING),
    ],
)
def test_basis_says_in_whose_shares_a_lot_is(written: str, basis: Basis) -> None:
    outcome = parse(f"AAPL,1,2,2025-01-06,{written}", header="Symbol,Quantity,Entry Price Per Share,Entry Date,Basis")
    assert [position.basis for position in outcome.positions] == [basis]


def test_basis_that_is_none_is_refused() -> None:
    outcome = parse("AAPL,1,2,2025-01-06,adjusted", header="Symbol,Quantity,Entry Price Per Share,Entry Date,basis")
    assert found(outcome) == [(2, "Basis", "ERR_POS_028")]
    assert outcome.errors[0].message == "must be as traded or as of opening, was 'adjusted'"
