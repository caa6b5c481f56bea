"""What an import says that it has understood."""

import pytest

from services.ops.client.answers.portfolios import Understood
from services.ops.client.importing import Tried, print_tried

UNDERSTOOD: Understood = {
    "opened_on": "2022-12-19",
    "positions": 3,
    "symbols": ["AAPL", "MSFT"],
    "separator": "\t",
    "decimal_sign": ".",
    "gross": "1280000.00",
    "gross_over_equity": {"value": 1.28, "reason": None, "detail": None},
    "cash_left": "-280000.00",
    "before_opening": 1,
    "first_entry": "2022-12-01",
    "oversold": ["closes 400 of AAPL on 2022-12-20, when 100 were held"],
}
BOOK: Tried = {
    **UNDERSTOOD,
    "without_source": {"MSFT": "no provider serves MSFT (sample: not in the sample)"},
}


def test_import_says_what_it_has_understood(capsys: pytest.CaptureFixture[str]) -> None:
    print_tried(BOOK)

    assert capsys.readouterr().out.splitlines() == [
        "understood: 3 positions in 2 priced symbols, read between tabs with . before decimals",
        "at its own prices it holds 1,280,000.00 (gross over equity 128.0%) and -280,000.00 is left in cash",
        "1 positions were entered before it opens on 2022-12-19, the first on 2022-12-01: "
        "what they gained until then is in the opening equity",
        "more than was held, unless it was split before: closes 400 of AAPL on 2022-12-20, when 100 were held",
        "no prices: no provider serves MSFT (sample: not in the sample)",
    ]


def test_import_without_a_file_says_nothing_of_separators(capsys: pytest.CaptureFixture[str]) -> None:
    print_tried({**BOOK, "separator": None, "decimal_sign": None, "before_opening": 0})

    assert "understood: 3 positions in 2 priced symbols\n" in capsys.readouterr().out
