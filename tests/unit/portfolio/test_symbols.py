"""One spelling for what is held; what is no holding is told what it is."""

import pytest

from services.portfolio.core.symbols import symbol_of


@pytest.mark.parametrize("text", ["BRK.B", "BRK-B", "BRK/B", "BRK B", "brk.b", " Brk  B "])
def test_class_of_a_share_in_any_spelling_is_one_symbol(text: str) -> None:
    assert symbol_of(text) == "BRK.B"


@pytest.mark.parametrize(
    "text", ["AAPL", "7203.T", "SHLP.L", "BTC-USD", "SPY_C450", "CASH", "CASH_USD", "USD", "BAC-PL", "A", "C1"]
)
def test_symbol_of_another_kind_stays_as_it_is(text: str) -> None:
    assert symbol_of(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("^SPX", "is an index"),
        ("$SPX", "is an index"),
        ("EURUSD=X", "is a currency pair"),
        ("EUR.USD", "is a currency pair"),
        ("eur/usd", "is a currency pair"),
        ("SPAXX**", "is a money-market fund"),
        ("$CASH", "is cash"),
        ("CASH & CASH INVESTMENTS", "is cash"),
        ("ES=F", "is a future"),
        ("BRK//B", "must be"),
        ("../X", "must be"),
        ("ÄÖ", "must be"),
        ("ﬁ", "must be"),
        ("A" * 21, "must be"),
    ],
)
def test_name_of_what_is_no_holding_is_refused_with_what_it_is(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        symbol_of(text)
    assert repr(text[:40]) in str(refused.value)
