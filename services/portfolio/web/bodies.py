"""What people ask for and send: portfolios, positions and flows, validated into terms of the core."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from services.portfolio.core.cents import DECIMALS
from services.portfolio.core.csv_import import CsvImport, parse_positions_csv
from services.portfolio.core.positions import Basis, Exit, OptionTerms, PositionTerms, PositionType
from services.portfolio.core.symbols import symbol_of
from shared.principal import OWNER_PATTERN
from shared.printable import counted
from shared.problems import Problem
from shared.selection import Day
from shared.symbols import SYMBOL_PATTERN, SymbolText

# Every sum over a book stays within the columns and within int64 cents.
MAX_MONEY = Decimal(10) ** 12


def _written(pattern: str, example: str, **number: float) -> WithJsonSchema:
    """Return what OpenAPI says of an amount: text with so many decimals, or a number."""
    text = {"type": "string", "pattern": pattern, "examples": [example]}
    return WithJsonSchema({"anyOf": [text, {"type": "number", **number}]})


Money = Annotated[
    Decimal,
    Field(ge=-MAX_MONEY, le=MAX_MONEY, decimal_places=2, allow_inf_nan=False),
    _written(r"^-?[0-9]{1,13}(\.[0-9]{1,2})?$", "100000.00", minimum=-int(MAX_MONEY), maximum=int(MAX_MONEY)),
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
_PRICE: Final = r"^[0-9]{1,8}(\.[0-9]{1,10})?$"
Price = Annotated[
    Decimal,
    Field(gt=0, max_digits=8 + DECIMALS, decimal_places=DECIMALS, allow_inf_nan=False),
    _written(_PRICE, "101.25", exclusiveMinimum=0, maximum=10**8),
]
Cost = Annotated[
    Decimal,
    Field(ge=0, max_digits=8 + DECIMALS, decimal_places=DECIMALS, allow_inf_nan=False),
    _written(_PRICE, "101.25", minimum=0, maximum=10**8),
]
Quantity = Annotated[
    Decimal,
    Field(max_digits=12 + DECIMALS, decimal_places=DECIMALS, allow_inf_nan=False),
    _written(r"^-?[0-9]{1,12}(\.[0-9]{1,10})?$", "10", minimum=-(10**12), maximum=10**12),
]
HeldSymbol = Annotated[
    str, AfterValidator(symbol_of), WithJsonSchema({"type": "string", "pattern": SYMBOL_PATTERN, "examples": ["AAPL"]})
]
Owner = Annotated[
    str, Field(pattern=OWNER_PATTERN, description="a name, or group:NAME", examples=["ada", "group:desk-1"])
]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]
Reference = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=r"^[^\x00]*$")
]


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ExitBody(Body):
    """Part or all of a position closed at a price; without a quantity, what is left."""

    on: Day
    price: Price
    quantity: Annotated[Quantity, Field(gt=0)] | None = None


class OptionBody(Body):
    """The contract behind an option position."""

    underlying: SymbolText
    strike: Price
    expiration: Day


class PositionBody(Body):
    """A position as it was entered; the quantity is signed, short negative."""

    symbol: HeldSymbol = Field(description="capitals or not; BRK.B, BRK-B, BRK/B and BRK B are one")
    kind: PositionType
    quantity: Quantity
    entry_date: Day
    entry_price: Cost = Field(description="0 for what was given")
    exits: list[ExitBody] = []
    option: OptionBody | None = None
    basis: Basis = Field(
        default=Basis.AS_TRADED,
        description="in whose shares it is, where it was bought before the book was opened: those of its entry date, "
        "which splits since then change, or those of the opening",
    )


class PositionsBody(Body):
    """Positions to add, as a list, as the text of a CSV file, or both."""

    positions: list[PositionBody] = Field(default=[], max_length=100_000)
    csv: str | None = Field(default=None, description="a positions file, see docs/positions-file.md")


class PortfolioBody(PositionsBody):
    """A new portfolio with its positions."""

    name: Name
    opening_equity: Money = Field(description="equity at the close before `opened_on`, in portfolio currency")
    opened_on: Day | None = Field(default=None, description="first session to value; default: `as_of`")
    currency: Currency = Field(default="USD", description="of its equity; what is quoted in another is not valued")
    owner: Owner | None = Field(default=None, description="whose it is, null: nobody's but who reads everything")
    as_of: Day | None = Field(default=None, description="session to calculate now; default: the target session")


class DescriptionBody(Body):
    """What a portfolio is to be called, and whose it is to be; what is not said stays."""

    name: Name | None = None
    owner: Owner | None = Field(default=None, description="null: nobody's")

    @model_validator(mode="after")
    def _says_something(self) -> "DescriptionBody":
        if not self.model_fields_set:
            raise ValueError("must say name or owner")
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("name must be one, was null")
        return self

    def changes(self) -> dict[str, str | None]:
        """Return what is said."""
        return self.model_dump(exclude_unset=True)


class CloseBody(Body):
    """When a portfolio is closed."""

    on: Day | None = Field(
        default=None, description="its last session, or the day after it; default: the target session"
    )


class FlowBody(Body):
    """Money paid in (positive) or taken out (negative).

    One that is sent again is stored once: it is known by its `reference`, without one by its day and amount.
    """

    on: Day
    amount: Money
    reference: Reference | None = Field(
        default=None, description="what the payment is known by to you, of one flow of the portfolio only"
    )


class CalculateBody(Body):
    """A calculation on demand; default: the target session."""

    as_of: Day | None = None
    first_session: Day | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """The positions of a body, and how its file was read if it has one."""

    terms: tuple[PositionTerms, ...]
    file: CsvImport | None


def entered_of(body: PositionsBody, *, today: date) -> Entered:
    """Return the positions of a body, all of them or a problem that lists every error.

    Raises
    ------
    Problem
        422 with line (for CSV), field, code and reason of each error; nothing is half applied.
    """
    terms: list[PositionTerms] = []
    errors: list[dict[str, Any]] = []
    file = None
    for index, position in enumerate(body.positions):
        try:
            terms.append(position_terms(position, today=today))
        except ValueError as error:
            errors.append({"field": f"positions.{index}", "reason": str(error)})
    if body.csv is not None:
        file = parse_positions_csv(body.csv.encode(), today=today)
        terms.extend(file.positions)
        errors.extend(
            {"line": error.line, "field": error.field, "code": error.code, "reason": error.message}
            for error in file.errors
        )
    if errors:
        raise Problem(422, f"{counted(len(errors), 'error')} in the positions, nothing was stored", errors=errors)
    return Entered(tuple(terms), file)


def position_terms(body: PositionBody, *, today: date) -> PositionTerms:
    """Return the terms of one position.

    Raises
    ------
    ValueError
        If they contradict one another or lie in the future.
    """
    dates = [body.entry_date, *(entry.on for entry in body.exits)]
    if max(dates) > today:
        raise ValueError(f"dates must not be in the future, was {max(dates)}")
    contract = body.option
    option = None if contract is None else OptionTerms(contract.underlying, contract.strike, contract.expiration)
    return PositionTerms(
        symbol=body.symbol,
        kind=body.kind,
        quantity=body.quantity,
        entry_date=body.entry_date,
        entry_price=body.entry_price,
        exits=tuple(Exit(entry.on, entry.price, entry.quantity) for entry in body.exits),
        option=option,
        basis=body.basis,
    )
