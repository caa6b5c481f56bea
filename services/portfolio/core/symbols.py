"""What can be held goes by one spelling; what statements of brokers list beside it is told what it is."""

import re
from typing import Final

from shared.symbols import SYMBOL_PATTERN, one_spelling

_SHOWN: Final = 40  # characters of a refused name
_SYMBOL: Final = re.compile(SYMBOL_PATTERN)
_CURRENCY: Final = (
    "(?:USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|HKD|SGD|CNY|CNH|INR|MXN|ZAR|BRL|KRW|TRY|PLN|CZK|HUF|ILS)"
)
_CASH: Final = "leave the row out: the money of a book is its equity less what it holds"
# In this order: `$CASH` is money, `$SPX` is not.
_NO_HOLDINGS: Final = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"\$CASH|CASH .*", f"is cash; {_CASH}"),
        (r".*\*\*", f"is a money-market fund that a broker keeps cash in; {_CASH}"),
        (rf".*=X|{_CURRENCY}[./ ]?{_CURRENCY}", f"is a currency pair, money in another currency; {_CASH}"),
        (r".*=F", "is a future, which is not valued here; leave the row out"),
        (r"[\^$].*", "is an index, which nobody holds; name the fund or the option that is held"),
    )
)


def symbol_of(text: str) -> str:
    """Return the symbol of a holding in its one spelling.

    Raises
    ------
    ValueError
        If it is none: what it is instead, or what a symbol is made of.

    Examples
    --------
    >>> symbol_of("brk/b")
    'BRK.B'
    >>> symbol_of("^SPX")
    Traceback (most recent call last):
    ValueError: '^SPX' is an index, which nobody holds; name the fund or the option that is held
    """
    symbol, shown = one_spelling(text), repr(text[:_SHOWN])
    reason = next((reason for pattern, reason in _NO_HOLDINGS if pattern.fullmatch(symbol)), None)
    if reason is not None:
        raise ValueError(f"{shown} {reason}")
    if not _SYMBOL.fullmatch(symbol):
        raise ValueError(f"must be at most 20 letters, digits and . _ - beginning with no sign, was {shown}")
    return symbol
