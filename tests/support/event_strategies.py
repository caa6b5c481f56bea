"""Events made up by hypothesis: whatever their fields allow."""

import types
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from shared.calendar import session_on_or_before
from shared.contracts.event import Event
from shared.contracts.market_data import (
    ConstituentList,
    CorporateAction,
    Correction,
    HeldClose,
    PriceBlock,
    PricesUpdated,
    RiskFreeRate,
    Statement,
)
from shared.contracts.portfolio import Book, HeldOption
from shared.contracts.run import Contract, Part, Run, Symbol
from shared.symbols import SYMBOL_PATTERN

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PRICES = st.floats(min_value=0.0, exclude_min=True, allow_infinity=False)
SESSIONS = st.dates(date(1990, 2, 1), date(2026, 1, 1)).map(session_on_or_before)
SYMBOLS = st.from_regex(SYMBOL_PATTERN, fullmatch=True)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    float: NUMBERS,
    int: st.integers(0, 1_000_000),
    bool: st.booleans(),
    UUID: st.uuids(),
    date: st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    datetime: st.datetimes(timezones=st.just(UTC)),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12),
    type(None): st.none(),
    Symbol: SYMBOLS,
}


def of_type(annotation: Any) -> st.SearchStrategy[Any]:
    """Return values of a field's type."""
    if annotation in LEAVES:
        return LEAVES[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return st.one_of([of_type(argument) for argument in arguments])
    if origin is tuple:
        return st.lists(of_type(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(of_type(arguments[0]), of_type(arguments[1]), max_size=3)
    if origin is Literal or issubclass(annotation, Enum):
        return st.sampled_from(arguments or annotation)
    return CONTRACTS.get(annotation, lambda: built(annotation))()


def _is_symbol(field: FieldInfo) -> bool:
    return any(getattr(rule, "pattern", None) == SYMBOL_PATTERN for rule in field.metadata)


def built(model: type[Contract], **chosen: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return instances with every field made up but those chosen."""
    fields = {
        name: SYMBOLS if _is_symbol(field) else of_type(field.annotation)
        for name, field in model.model_fields.items()
        if name not in chosen
    }
    return st.builds(model, **fields, **chosen)


@st.composite
def _runs(draw: st.DrawFn) -> Run:
    first = draw(LEAVES[date])
    last = first + timedelta(days=draw(st.integers(0, 400)))
    run: Run = draw(built(Run, first_session=st.just(first), last_session=st.just(last)))
    return run


@st.composite
def _parts(draw: st.DrawFn) -> Part:
    total = draw(st.integers(1, 50))
    return Part(index=draw(st.integers(0, total - 1)), total=total)


@st.composite
def _blocks(draw: st.DrawFn) -> PriceBlock:
    sessions = draw(st.lists(SESSIONS, max_size=3, unique=True))
    symbols = draw(st.lists(SYMBOLS, max_size=3, unique=True))
    row = st.lists(st.none() | PRICES, min_size=len(sessions), max_size=len(sessions)).map(tuple)
    rows = st.lists(row, min_size=len(symbols), max_size=len(symbols)).map(tuple)
    return PriceBlock(sessions=tuple(sessions), symbols=tuple(symbols), close=draw(rows), adjusted=draw(rows))


@st.composite
def _constituents(draw: st.DrawFn) -> ConstituentList:
    weights = draw(st.dictionaries(SYMBOLS, st.floats(0.0, 1.0), max_size=3))
    chosen = {"symbols": tuple(weights), "weights": tuple(weights.values())}
    made: ConstituentList = draw(built(ConstituentList, **{name: st.just(each) for name, each in chosen.items()}))
    return made


def _prices() -> st.SearchStrategy[PricesUpdated]:
    action = _some(built(CorporateAction, session=SESSIONS, value=st.floats(min_value=1e-9, max_value=1e9)))
    # Under the name that is sent, which is what can be made up of it.
    last = st.none() | SESSIONS
    correction = _some(st.builds(Correction, symbol=SYMBOLS, session=SESSIONS, last_session=last))
    held = st.none() | _some(built(HeldClose, session=SESSIONS))
    rates = _some(built(RiskFreeRate, rate=st.floats(-1.0, 1.0)))
    actions = {"splits": action, "dividends": action, "corrections": correction}
    return built(PricesUpdated, **actions, held=held, risk_free_rates=rates)


def _some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=2).map(tuple)


@st.composite
def _books(draw: st.DrawFn) -> Book:
    exposures = tuple(draw(st.lists(NUMBERS, max_size=4)))
    symbols = tuple(f"S{index}" for index in range(len(exposures)))
    entries = st.integers(0, max(len(symbols) - 1, 0))
    option = built(HeldOption, entry=entries, strike=PRICES, spot=PRICES, volatility=PRICES)
    options = st.lists(option, max_size=2 if symbols else 0).map(tuple)
    book: Book = draw(built(Book, symbols=st.just(symbols), exposures=st.just(exposures), options=options))
    return book


CONTRACTS: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
    Run: _runs,
    Part: _parts,
    PriceBlock: _blocks,
    ConstituentList: _constituents,
    Book: _books,
    PricesUpdated: _prices,
    Statement: lambda: built(
        Statement,
        statement=st.sampled_from(["income", "balance", "cash_flow"]),
        frequency=st.sampled_from(["quarterly", "annual"]),
        revision=st.integers(1, 1_000),
        fiscal_quarter=st.none() | st.integers(1, 4),
    ),
}


@cache
def events(event_type: type[Event]) -> st.SearchStrategy[Any]:
    """Return events of one type."""
    return of_type(event_type)
