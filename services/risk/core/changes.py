"""What made a number of a portfolio's risk another one: between two sessions, or two revisions of one.

The inputs of the later number are put in the place of those of the earlier one, one kind after the other, and the
number is computed each time (methodology, changes): what a step changes is due to what it exchanged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import fsum
from typing import Final

import numpy as np

from services.risk.core.assessment import Assessment, AssessmentInputs, Books, assess
from services.risk.core.coverage_floor import LowCoverage
from services.risk.core.digest import CODE_VERSION
from services.risk.core.holdings import NetHoldings
from services.risk.core.measures import MEASURES
from shared.arrays import FloatArray, IntArray
from shared.conventions import FACTORS, MARKET_BETA
from shared.unavailable import Reason, Unavailable

# The numbers whose changes are told.
CHANGED: Final = (MARKET_BETA, "var_95_1d_historical")
Number = float | Unavailable | LowCoverage

_MEASURES: Final = [measure.name for measure in MEASURES]


class Part(StrEnum):
    """What a number can change by, in the order in which it is exchanged."""

    PRICES = "prices"
    POSITIONS = "positions"
    MODEL = "model"
    CORRECTIONS = "corrections"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Stored:
    """The numbers of a stored revision, and the version of the code that computed them."""

    numbers: Mapping[str, Number]
    code_version: int


@dataclass(frozen=True, slots=True)
class Stage:
    """The inputs once something more has been exchanged, or why they cannot be made."""

    part: Part
    inputs: AssessmentInputs | Unavailable


@dataclass(frozen=True, slots=True)
class Step:
    """A number once something more has been exchanged."""

    part: Part
    number: Number


@dataclass(frozen=True, slots=True)
class Change:
    """A number before and after, their difference, and what each part adds to it.

    A part without a number has the reason why it cannot be told apart: the next one that can be has both.
    """

    before: Number
    after: Number
    total: Number
    parts: dict[Part, Number]


def attributed(before: Number, steps: Sequence[Step]) -> Change:
    """Return what the steps from a number to the last of them add to its change.

    Parameters
    ----------
    before : number or reason
    steps : sequence of Step
        In their order; the last one is the number after. Steps of the same part are taken together.

    Returns
    -------
    Change
        The parts add up to the difference, within the last bit of the largest. Without a number at either end there is
        no difference, and no part of it.
    """
    after = steps[-1].number
    ends = [end for end in (before, after) if not isinstance(end, float)]
    if ends or not isinstance(before, float) or not isinstance(after, float):
        return Change(before, after, ends[0], dict.fromkeys((step.part for step in steps), ends[0]))
    parts: dict[Part, Number] = {}
    reached, last = before, steps[-1].part
    for step in steps:
        if isinstance(step.number, float):
            known = parts.get(step.part)
            added = step.number - reached
            parts[step.part] = known + added if isinstance(known, float) else added
            last = step.part if added else last
            reached = step.number
        else:
            parts.setdefault(step.part, step.number)
    total = after - before
    # What rounding left of differences is in the last one that there is.
    parts[last] = fsum([total, *(-part for name, part in parts.items() if name != last and isinstance(part, float))])
    return Change(before, after, total, parts)


def moved(books: Books, returns: FloatArray) -> Books:
    """Return a book as prices alone would have made it: exposures grown by their returns, equity by what that earns.

    Parameters
    ----------
    books : Books
        Of one portfolio.
    returns : ndarray of shape (n_symbols,)
        Total returns since the book's session; NaN where unknown, and then nothing moves.
    """
    holdings = books.holdings
    growth = 1.0 + np.nan_to_num(returns)[holdings.symbol]
    net, gross = _cents(holdings.net * growth), _cents(holdings.gross * growth)
    equity = holdings.equity + (net - holdings.net).sum()
    return replace(books, holdings=replace(holdings, net=net, gross=gross, equity=equity))


def restored(books: Books, symbols: Sequence[str], weights: FloatArray, *, equity: float) -> Books | Unavailable:
    """Return the book of an earlier revision, from the weights that are stored with it.

    Parameters
    ----------
    books : Books
        The book of the newest revision.
    symbols : sequence of str
    weights : ndarray of shape (n_symbols,)
        Net exposure over equity; NaN where that is not positive.
    equity : float
        In portfolio currency.
    """
    if books.holdings.options.place.size:
        return Unavailable(Reason.NOT_APPLICABLE, "the options of an earlier revision of a book are not kept")
    if not np.isfinite(weights).all():
        return Unavailable(Reason.DEGENERATE_INPUT, f"equity must be positive for weights, was {equity}")
    cents = np.array([round(equity * 100)], dtype=np.int64)
    places = np.arange(len(symbols))
    exposure = _cents(weights * cents[0])
    holdings = NetHoldings.of(np.zeros_like(places), places, exposure=exposure, equity=cents, names=symbols)
    return Books(books.as_of, books.portfolio_ids, tuple(symbols), holdings)


def changes_of(before: Stored, after: Stored, stages: Sequence[Stage]) -> dict[str, Change]:
    """Return by name what changed the numbers: the stages in their order lead from the former's inputs to the latter's.

    That a stored number does not come out again is due to another version of the code, or to what was corrected since.
    """
    computed = [(stage.part, _numbers_of(stage.inputs)) for stage in stages]
    last = by_version(after.code_version)
    return {
        name: attributed(
            before.numbers[name],
            [*(Step(part, numbers[name]) for part, numbers in computed), Step(last, after.numbers[name])],
        )
        for name in CHANGED
    }


def by_version(code_version: int) -> Part:
    """Return what it is due to that a stored number of this version of the code does not come out again."""
    return Part.CORRECTIONS if code_version == CODE_VERSION else Part.CODE


def _numbers_of(inputs: AssessmentInputs | Unavailable) -> Mapping[str, Number]:
    if isinstance(inputs, Unavailable):
        return dict.fromkeys(CHANGED, inputs)
    assessment = assess(inputs)
    return {name: _number(name, assessment) for name in CHANGED}


def _number(name: str, assessment: Assessment) -> Number:
    if name in FACTORS:
        return assessment.told.betas.at((0, FACTORS.index(name)))
    return assessment.told.measures.at((0, _MEASURES.index(name)))


def _cents(amounts: FloatArray) -> IntArray:
    return np.rint(amounts).astype(np.int64)
