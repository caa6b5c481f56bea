"""The options of books: as they are kept beside them, and as the core takes them."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter

from services.risk.core.options import Options
from shared.arrays import FloatArray
from shared.black_scholes import Terms
from shared.contracts.portfolio import HeldOption
from shared.conventions import DAYS_PER_YEAR, OPTION_RISK_FREE_RATE

_STORED: Final = TypeAdapter(tuple[HeldOption, ...])


def stored_options(options: tuple[HeldOption, ...]) -> str:
    """Return the options of a book as its row has them."""
    return _STORED.dump_json(options).decode()


def options_of(rows: Sequence[Any], as_of: date, exposures: FloatArray) -> Options:
    """Return the options of books, their places among the entries of all of them."""
    first = np.cumsum([0, *(len(row.symbols) for row in rows)])
    held = [
        (int(begin) + option.entry, option)
        for begin, row in zip(first, rows, strict=False)
        for option in _STORED.validate_json(row.options)
    ]
    place = np.array([entry for entry, _ in held], dtype=np.int64)
    names = ("spot", "strike", "dividend_yield", "volatility", "quantity", "multiplier")
    known = {name: np.array([getattr(option, name) for _, option in held], dtype=np.float64) for name in names}
    years = np.array([(option.expiration - as_of).days / DAYS_PER_YEAR for _, option in held], dtype=np.float64)
    is_call = np.array([option.right == "call" for _, option in held], dtype=np.bool_)
    rate = np.array([OPTION_RISK_FREE_RATE if option.rate is None else option.rate for _, option in held])
    terms = Terms(known["spot"], known["strike"], years, known["dividend_yield"], rate, is_call)
    return Options(place, known["quantity"] * known["multiplier"], exposures[place], terms, known["volatility"])
