"""One spelling for the names of what is held and priced, whoever writes them."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

MAX_SYMBOL_LENGTH: Final = 20
SYMBOL_PATTERN: Final = r"^[A-Z0-9^][A-Z0-9._^-]{0,19}$"

_SYMBOL: Final = re.compile(SYMBOL_PATTERN)

# Exchanges and vendors part the class of a share by a point, a dash, a slash or a blank.
_CLASS_OF_SHARE: Final = re.compile(r"([A-Z]{1,5})[./ -]([A-Z])")


def one_spelling(text: str) -> str:
    """Return a name as it is kept: capitals, no blanks around it, the class of a share after a point.

    Examples
    --------
    >>> [one_spelling(text) for text in ("brk-b", "BRK/B", "BRK B", " aapl ", "BTC-USD", "7203.T")]
    ['BRK.B', 'BRK.B', 'BRK.B', 'AAPL', 'BTC-USD', '7203.T']
    """
    # The capitals of some other letters are Latin ones: such a name is left to be refused.
    symbol = " ".join(text.upper().split()) if text.isascii() else text
    parted = class_of_share(symbol)
    return symbol if parted is None else ".".join(parted)


def class_of_share(symbol: str) -> tuple[str, str] | None:
    """Return the name of a share and the letter of its class, None of one without a class."""
    parted = _CLASS_OF_SHARE.fullmatch(symbol)
    return None if parted is None else (parted[1], parted[2])


def is_symbol(text: str) -> bool:
    """Tell whether a name is one as it is kept."""
    return _SYMBOL.fullmatch(text) is not None


def _spelled(value: object) -> object:
    return one_spelling(value) if isinstance(value, str) else value


# A symbol that people send, in any spelling.
SymbolText = Annotated[str, BeforeValidator(_spelled), Field(pattern=SYMBOL_PATTERN)]
