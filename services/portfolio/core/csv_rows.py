"""Validate one row of a positions file and turn it into the terms of a position.

A row yields either terms or every error it has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from services.portfolio.core.cents import QUANTITY_DECIMALS
from services.portfolio.core.positions import MAX_COST, Exit, OptionTerms, PositionTerms, PositionType, multiplier

SYMBOL, QUANTITY, ENTRY_PRICE, ENTRY_DATE = "Symbol", "Quantity", "Entry Price Per Share", "Entry Date"
CLASS, SUBTYPE, UNDERLYING = "Investment Class", "Investment Subtype", "Underlying Symbol"
STRIKE, EXPIRATION, OPTION_TYPE = "Strike Price", "Expiration Date", "Option Type"
EXIT_DATE, EXIT_PRICE = "Exit Date", "Exit Price Per Share"
REQUIRED_COLUMNS: Final = (SYMBOL, QUANTITY, ENTRY_PRICE, ENTRY_DATE)
COLUMNS: Final = (
    *REQUIRED_COLUMNS,
    CLASS,
    SUBTYPE,
    UNDERLYING,
    STRIKE,
    EXPIRATION,
    OPTION_TYPE,
    EXIT_DATE,
    EXIT_PRICE,
)

MAX_SYMBOL_LENGTH: Final = 20
MAX_QUANTITY: Final = Decimal(10) ** 12
MAX_PRICE: Final = Decimal(10) ** 8
PRICE_DECIMALS: Final = 4
MAX_AGE_YEARS: Final = 100

SUBTYPES: Final[Mapping[str, frozenset[str]]] = {
    "PUBLIC": frozenset({"STOCK", "ETF", "MUTUAL_FUND", "BOND", "CASH"}),
    "OPTIONS": frozenset({"CALL", "PUT"}),
    "PRIVATE": frozenset(
        {"PRIVATE_EQUITY", "VENTURE_CAPITAL", "HEDGE_FUND", "PRIVATE_REIT", "REAL_ESTATE", "CRYPTOCURRENCY", "CRYPTO"}
        | {"ART", "MONEY_MARKET", "TREASURY_BILLS", "CASH", "COMMODITY", "OTHER"}
    ),
}

_SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9._-]*")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SHOWN: Final = 40  # characters of a rejected value in a message


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a file: line (1 is the first of the file, 0 the file as a whole), column, code, message."""

    line: int
    field: str
    code: str
    message: str


@dataclass(slots=True)
class Row:
    """One row: its stripped cells by column name, and the errors found so far."""

    line: int
    cells: Mapping[str, str]
    today: date
    errors: list[RowError] = field(default_factory=list)

    def terms(self) -> PositionTerms | None:
        """Return the terms of the position, or None with the reasons in `errors`."""
        symbol = self._symbol()
        quantity = self._quantity()
        price = self._price(ENTRY_PRICE)
        entered = self._past_date(ENTRY_DATE)
        investment_class = self._investment_class()
        option = self._option(investment_class)
        exits = self._exits(entered)
        if self.errors or quantity is None or price is None or entered is None:
            return None
        kind = _kind(investment_class, option_type=self.cells[OPTION_TYPE].upper(), quantity=quantity)
        if abs(quantity) * price * multiplier(kind) > MAX_COST:
            self._reject(QUANTITY, "ERR_POS_024", message=f"the cost of the position must be at most {MAX_COST}")
            return None
        if option is not None and option.expiration < entered:
            self._reject(EXPIRATION, "ERR_POS_025", message=f"an option must expire after its entry, {entered}")
            return None
        subtype = self.cells[SUBTYPE].upper() or None
        return PositionTerms(symbol, kind, quantity, entered, price, exits, subtype, option)

    def _reject(self, column: str, code: str, *, message: str) -> None:
        self.errors.append(RowError(self.line, column, code, message))

    def _shown(self, column: str) -> str:
        return repr(self.cells[column][:_SHOWN])

    def _symbol(self) -> str:
        symbol = self.cells[SYMBOL].upper()
        if not symbol:
            self._reject(SYMBOL, "ERR_POS_001", message="a symbol is required")
        elif len(symbol) > MAX_SYMBOL_LENGTH:
            self._reject(
                SYMBOL, "ERR_POS_002", message=f"must have at most {MAX_SYMBOL_LENGTH} characters, has {len(symbol)}"
            )
        elif not _SYMBOL.fullmatch(symbol):
            self._reject(
                SYMBOL, "ERR_POS_003", message=f"must be letters, digits and . _ - only, was {self._shown(SYMBOL)}"
            )
        return symbol

    def _quantity(self) -> Decimal | None:
        text = self.cells[QUANTITY]
        if not text:
            self._reject(QUANTITY, "ERR_POS_004", message="a quantity is required")
            return None
        quantity = _number(text)
        if quantity is None or abs(quantity) >= MAX_QUANTITY:
            self._reject(
                QUANTITY,
                "ERR_POS_005",
                message=f"must be a plain number below {MAX_QUANTITY}, was {self._shown(QUANTITY)}",
            )
        elif quantity == 0:
            self._reject(QUANTITY, "ERR_POS_006", message="must not be zero")
        elif _decimals(quantity) > QUANTITY_DECIMALS:
            self._reject(
                QUANTITY,
                "ERR_POS_007",
                message=f"must have at most {QUANTITY_DECIMALS} decimals, was {self._shown(QUANTITY)}",
            )
        return quantity

    def _price(self, column: str) -> Decimal | None:
        text = self.cells[column]
        if not text:
            self._reject(column, "ERR_POS_008", message="a price is required")
            return None
        price = _number(text)
        if price is None or price >= MAX_PRICE:
            self._reject(
                column, "ERR_POS_009", message=f"must be a plain number below {MAX_PRICE}, was {self._shown(column)}"
            )
        elif price <= 0:
            self._reject(column, "ERR_POS_010", message=f"must be positive, was {self._shown(column)}")
        elif _decimals(price) > PRICE_DECIMALS:
            self._reject(
                column, "ERR_POS_011", message=f"must have at most {PRICE_DECIMALS} decimals, was {self._shown(column)}"
            )
        return price

    def _date(self, column: str) -> date | None:
        text = self.cells[column]
        if not text:
            self._reject(column, "ERR_POS_012", message="a date is required")
            return None
        day = _calendar_date(text)
        if day is None:
            self._reject(column, "ERR_POS_013", message=f"must be a date as YYYY-MM-DD, was {self._shown(column)}")
        return day

    def _past_date(self, column: str) -> date | None:
        day = self._date(column)
        if day is not None and day > self.today:
            self._reject(column, "ERR_POS_014", message=f"must not be in the future, was {day}")
        elif day is not None and day.year < self.today.year - MAX_AGE_YEARS:
            self._reject(column, "ERR_POS_015", message=f"must not be older than {MAX_AGE_YEARS} years, was {day}")
        return day

    def _investment_class(self) -> str:
        stated = self.cells[CLASS].upper()
        if stated and stated not in SUBTYPES:
            self._reject(
                CLASS, "ERR_POS_016", message=f"must be one of {', '.join(SUBTYPES)}, was {self._shown(CLASS)}"
            )
            return stated
        investment_class = stated or self._inferred_class()
        subtype = self.cells[SUBTYPE].upper()
        if subtype and subtype not in SUBTYPES[investment_class]:
            self._reject(
                SUBTYPE, "ERR_POS_017", message=f"is not a subtype of {investment_class}, was {self._shown(SUBTYPE)}"
            )
        return investment_class

    def _inferred_class(self) -> str:
        if any(self.cells[column] for column in (UNDERLYING, STRIKE, EXPIRATION, OPTION_TYPE)):
            return "OPTIONS"
        return "PRIVATE" if self.cells[SYMBOL].upper().startswith("CASH_") else "PUBLIC"

    def _option(self, investment_class: str) -> OptionTerms | None:
        if investment_class != "OPTIONS":
            return None
        before = len(self.errors)
        underlying = self.cells[UNDERLYING].upper()
        if len(underlying) > MAX_SYMBOL_LENGTH or not _SYMBOL.fullmatch(underlying):
            self._reject(UNDERLYING, "ERR_POS_019", message="an option needs the symbol of its underlying")
        strike = _number(self.cells[STRIKE])
        if strike is None or not 0 < strike < MAX_PRICE or _decimals(strike) > PRICE_DECIMALS:
            self._reject(STRIKE, "ERR_POS_020", message=f"an option needs a positive strike, was {self._shown(STRIKE)}")
        expiration = _calendar_date(self.cells[EXPIRATION])
        if expiration is None:
            self._reject(
                EXPIRATION, "ERR_POS_021", message=f"an option needs its expiration, was {self._shown(EXPIRATION)}"
            )
        if self.cells[OPTION_TYPE].upper() not in SUBTYPES["OPTIONS"]:
            self._reject(OPTION_TYPE, "ERR_POS_022", message=f"must be CALL or PUT, was {self._shown(OPTION_TYPE)}")
        if len(self.errors) > before or strike is None or expiration is None:
            return None
        return OptionTerms(underlying, strike, expiration)

    def _exits(self, entered: date | None) -> tuple[Exit, ...]:
        if not self.cells[EXIT_DATE] and not self.cells[EXIT_PRICE]:
            return ()
        before = len(self.errors)
        day, price = self._past_date(EXIT_DATE), self._price(EXIT_PRICE)
        if day is not None and entered is not None and day < entered:
            self._reject(EXIT_DATE, "ERR_POS_018", message=f"must not be before the entry date {entered}, was {day}")
        if len(self.errors) > before or day is None or price is None:
            return ()
        return (Exit(day, price),)


def _number(text: str) -> Decimal | None:
    """Return a plain decimal number; no exponent, separators, signs of currency, NaN or infinity."""
    return Decimal(text) if len(text) <= _SHOWN and _NUMBER.fullmatch(text) else None


def _calendar_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _kind(investment_class: str, *, option_type: str, quantity: Decimal) -> PositionType:
    """Return the type that class, option type and the sign of the quantity make."""
    if investment_class == "PRIVATE":
        return PositionType.PRIVATE
    if investment_class == "OPTIONS":
        bought, sold = (
            (PositionType.LC, PositionType.SC) if option_type == "CALL" else (PositionType.LP, PositionType.SP)
        )
        return bought if quantity > 0 else sold
    return PositionType.LONG if quantity > 0 else PositionType.SHORT
