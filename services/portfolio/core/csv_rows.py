"""Validate one row of a positions file and turn it into the terms of a position.

A row yields either terms or every error it has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from services.portfolio.core.cents import DECIMALS
from services.portfolio.core.positions import (
    MAX_COST,
    Basis,
    Exit,
    OptionTerms,
    PositionTerms,
    PositionType,
    may_be_given,
    multiplier,
)
from services.portfolio.core.symbols import symbol_of
from shared.symbols import MAX_SYMBOL_LENGTH, SYMBOL_PATTERN, one_spelling

SYMBOL, QUANTITY, ENTRY_PRICE, ENTRY_DATE = "Symbol", "Quantity", "Entry Price Per Share", "Entry Date"
CLASS, SUBTYPE, UNDERLYING = "Investment Class", "Investment Subtype", "Underlying Symbol"
STRIKE, EXPIRATION, OPTION_TYPE = "Strike Price", "Expiration Date", "Option Type"
EXIT_DATE, EXIT_PRICE, EXIT_QUANTITY = "Exit Date", "Exit Price Per Share", "Exit Quantity"
BASIS = "Basis"
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
    EXIT_QUANTITY,
    BASIS,
)
# The second to the ninth exit of a position have columns of their own: `Exit Date 2`.
FURTHER_EXITS: Final = tuple(
    tuple(f"{column} {number}" for column in (EXIT_DATE, EXIT_PRICE, EXIT_QUANTITY)) for number in range(2, 10)
)
EVERY_COLUMN: Final = (*COLUMNS, *(column for columns in FURTHER_EXITS for column in columns))
NUMBERS: Final = frozenset(
    column for column in EVERY_COLUMN if column.startswith((QUANTITY, ENTRY_PRICE, STRIKE, EXIT_PRICE, EXIT_QUANTITY))
)

MAX_QUANTITY: Final = Decimal(10) ** 12
MAX_PRICE: Final = Decimal(10) ** 8
MAX_AGE_YEARS: Final = 100

SUBTYPES: Final[Mapping[str, frozenset[str]]] = {
    "PUBLIC": frozenset({"STOCK", "ETF", "MUTUAL_FUND", "BOND", "CASH"}),
    "OPTIONS": frozenset({"CALL", "PUT"}),
    "PRIVATE": frozenset(
        {"PRIVATE_EQUITY", "VENTURE_CAPITAL", "HEDGE_FUND", "PRIVATE_REIT", "REAL_ESTATE", "CRYPTOCURRENCY", "CRYPTO"}
        | {"ART", "MONEY_MARKET", "TREASURY_BILLS", "CASH", "COMMODITY", "OTHER"}
    ),
}

_SYMBOL: Final = re.compile(SYMBOL_PATTERN)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_SMALLEST: Final = f"0.{1:0{DECIMALS}}"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
SHOWN: Final = 40  # characters of a rejected value in a message


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a file: line (1 is the first of the file, 0 the file as a whole), column, code, message."""

    line: int
    field: str
    code: str
    message: str


@dataclass(slots=True)
class Row:
    """One row: its stripped cells by column name, the sign of its decimals, and the errors found so far."""

    line: int
    cells: Mapping[str, str]
    today: date
    decimal_sign: str = "."
    errors: list[RowError] = field(default_factory=list)

    def terms(self) -> PositionTerms | None:
        """Return the terms of the position, or None with the reasons in `errors`."""
        symbol = self._symbol()
        quantity = self._quantity()
        price = self._price(ENTRY_PRICE, least="0")
        entered = self._past_date(ENTRY_DATE)
        investment_class = self._investment_class()
        option = self._option(investment_class)
        exits = self._exits(entered)
        basis = self._basis()
        if self.errors or quantity is None or price is None or entered is None:
            return None
        kind = _kind(investment_class, option_type=self._cell(OPTION_TYPE).upper(), quantity=quantity)
        if price == 0 and not may_be_given(kind):
            self._reject(ENTRY_PRICE, "ERR_POS_010", message=f"of a {kind} position must be positive, was 0")
            return None
        if abs(quantity) * price * multiplier(kind) > MAX_COST:
            self._reject(QUANTITY, "ERR_POS_024", message=f"the cost of the position must be at most {MAX_COST}")
            return None
        if option is not None and option.expiration < entered:
            self._reject(EXPIRATION, "ERR_POS_025", message=f"an option must expire after its entry, {entered}")
            return None
        subtype = self._cell(SUBTYPE).upper() or None
        return PositionTerms(symbol, kind, quantity, entered, price, exits, subtype, option, basis)

    def _cell(self, column: str) -> str:
        return self.cells.get(column, "")

    def _reject(self, column: str, code: str, *, message: str) -> None:
        self.errors.append(RowError(self.line, column, code, message))

    def _shown(self, column: str) -> str:
        return repr(self._cell(column)[:SHOWN])

    def _symbol(self) -> str:
        text = self._cell(SYMBOL)
        if not text:
            self._reject(SYMBOL, "ERR_POS_001", message="a symbol is required")
            return ""
        if len(text) > MAX_SYMBOL_LENGTH:
            message = f"must have at most {MAX_SYMBOL_LENGTH} characters, has {len(text)}: {self._shown(SYMBOL)}"
            self._reject(SYMBOL, "ERR_POS_002", message=message)
            return ""
        try:
            return symbol_of(text)
        except ValueError as error:
            self._reject(SYMBOL, "ERR_POS_003", message=str(error))
            return ""

    def _quantity(self) -> Decimal | None:
        if not self._cell(QUANTITY):
            self._reject(QUANTITY, "ERR_POS_004", message="a quantity is required")
            return None
        quantity = self._number(QUANTITY)
        if quantity is None or abs(quantity) >= MAX_QUANTITY:
            self._reject(QUANTITY, "ERR_POS_005", message=self._no_number(QUANTITY, MAX_QUANTITY))
        elif quantity == 0:
            self._reject(QUANTITY, "ERR_POS_006", message=f"must not be zero, was {self._shown(QUANTITY)}")
        elif _decimals(quantity) > DECIMALS:
            self._reject(QUANTITY, "ERR_POS_007", message=self._too_fine(QUANTITY))
        return quantity

    def _price(self, column: str, *, least: str) -> Decimal | None:
        if not self._cell(column):
            self._reject(column, "ERR_POS_008", message="a price is required")
            return None
        price = self._number(column)
        if price is None or price >= MAX_PRICE:
            self._reject(column, "ERR_POS_009", message=self._no_number(column, MAX_PRICE))
        elif price < Decimal(least):
            self._reject(column, "ERR_POS_010", message=f"must be at least {least}, was {self._shown(column)}")
        elif _decimals(price) > DECIMALS:
            self._reject(column, "ERR_POS_011", message=self._too_fine(column))
        return price

    def _number(self, column: str) -> Decimal | None:
        """Return a plain decimal number; no exponent, separators of thousands, signs of currency, NaN or infinity."""
        text = self._cell(column)
        if self.decimal_sign != ".":
            text = "" if "." in text else text.replace(self.decimal_sign, ".", 1)
        return Decimal(text) if len(text) <= SHOWN and _NUMBER.fullmatch(text) else None

    def _no_number(self, column: str, limit: Decimal) -> str:
        sign = self.decimal_sign
        return f"must be a plain number below {limit}, with {sign!r} before decimals, was {self._shown(column)}"

    def _too_fine(self, column: str) -> str:
        return f"must have at most {DECIMALS} decimals, was {self._shown(column)}"

    def _date(self, column: str) -> date | None:
        text = self._cell(column)
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
        stated = self._cell(CLASS).upper()
        if stated and stated not in SUBTYPES:
            self._reject(
                CLASS, "ERR_POS_016", message=f"must be one of {', '.join(SUBTYPES)}, was {self._shown(CLASS)}"
            )
            return stated
        investment_class = stated or self._inferred_class()
        subtype = self._cell(SUBTYPE).upper()
        if subtype and subtype not in SUBTYPES[investment_class]:
            self._reject(
                SUBTYPE, "ERR_POS_017", message=f"is not a subtype of {investment_class}, was {self._shown(SUBTYPE)}"
            )
        return investment_class

    def _basis(self) -> Basis:
        stated = self._cell(BASIS).upper().replace(" ", "_")
        if stated in ("", *Basis):
            return Basis(stated or Basis.AS_TRADED)
        self._reject(BASIS, "ERR_POS_028", message=f"must be as traded or as of opening, was {self._shown(BASIS)}")
        return Basis.AS_TRADED

    def _inferred_class(self) -> str:
        if any(self._cell(column) for column in (UNDERLYING, STRIKE, EXPIRATION, OPTION_TYPE)):
            return "OPTIONS"
        return "PRIVATE" if self._cell(SYMBOL).upper().startswith("CASH_") else "PUBLIC"

    def _option(self, investment_class: str) -> OptionTerms | None:
        if investment_class != "OPTIONS":
            return None
        before = len(self.errors)
        underlying = one_spelling(self._cell(UNDERLYING))
        if not _SYMBOL.fullmatch(underlying):
            message = f"an option needs the symbol of its underlying, was {self._shown(UNDERLYING)}"
            self._reject(UNDERLYING, "ERR_POS_019", message=message)
        strike = self._number(STRIKE)
        if strike is None or not 0 < strike < MAX_PRICE or _decimals(strike) > DECIMALS:
            self._reject(STRIKE, "ERR_POS_020", message=f"an option needs a positive strike, was {self._shown(STRIKE)}")
        expiration = _calendar_date(self._cell(EXPIRATION))
        if expiration is None:
            self._reject(
                EXPIRATION, "ERR_POS_021", message=f"an option needs its expiration, was {self._shown(EXPIRATION)}"
            )
        if self._cell(OPTION_TYPE).upper() not in SUBTYPES["OPTIONS"]:
            self._reject(OPTION_TYPE, "ERR_POS_022", message=f"must be CALL or PUT, was {self._shown(OPTION_TYPE)}")
        if len(self.errors) > before or strike is None or expiration is None:
            return None
        return OptionTerms(underlying, strike, expiration)

    def _exits(self, entered: date | None) -> tuple[Exit, ...]:
        exits: list[Exit] = []
        before = len(self.errors)
        for columns in ((EXIT_DATE, EXIT_PRICE, EXIT_QUANTITY), *FURTHER_EXITS):
            if not any(self._cell(column) for column in columns):
                continue
            if exits and exits[-1].quantity is None:
                self._reject(columns[0], "ERR_POS_027", message="the exit before, without a quantity, closes the rest")
            closing = self._exit(*columns, after=exits[-1].on if exits else entered)
            if closing is not None:
                exits.append(closing)
        return () if len(self.errors) > before else tuple(exits)

    def _exit(self, day_column: str, price_column: str, size_column: str, *, after: date | None) -> Exit | None:
        before = len(self.errors)
        day, price = self._past_date(day_column), self._price(price_column, least=_SMALLEST)
        if day is not None and after is not None and day < after:
            message = f"must not be before {after}, the entry or the exit before, was {day}"
            self._reject(day_column, "ERR_POS_018", message=message)
        size = self._number(size_column) if self._cell(size_column) else None
        if self._cell(size_column) and (size is None or not 0 < size < MAX_QUANTITY or _decimals(size) > DECIMALS):
            message = f"must be a positive number of at most {DECIMALS} decimals, was {self._shown(size_column)}"
            self._reject(size_column, "ERR_POS_026", message=message)
        if len(self.errors) > before or day is None or price is None:
            return None
        return Exit(day, price, size)


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
