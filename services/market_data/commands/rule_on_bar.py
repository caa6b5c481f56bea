"""An operator decides about a held close or about a split that was inferred or not used."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.commands.errors import NothingToDecide
from services.market_data.core.bars import Bars
from services.market_data.core.findings import Rule
from services.market_data.core.judging import Decision, Place, Ruling, judge
from services.market_data.storage.judgement_repository import JudgementRepository


@dataclass(frozen=True, slots=True)
class RulingRequest:
    """What is decided about what, by whom and why."""

    place: Place
    decision: Decision
    decided_by: str
    why: str


@dataclass(frozen=True, slots=True)
class BarChange:
    """A bar before and after a decision; a close is None where it doesn't count."""

    session: date
    close_before: float | None
    close_after: float | None
    split_before: float
    split_after: float


@dataclass(frozen=True, slots=True)
class Ruled:
    """The close or split that was decided about, and the bars that are others with the decision."""

    value: float
    changes: tuple[BarChange, ...]


async def weigh_ruling(request: RulingRequest, connection: AsyncConnection) -> Ruled:
    """Return what a decision changes, and change nothing.

    Raises
    ------
    NothingToDecide
        If there is no such verdict.
    """
    repository, place = JudgementRepository(connection), request.place
    if place.rule is Rule.DELISTED:
        # To accept it is to have seen it: no bar is another one.
        close = await repository.find_finding(place)
        if close is None:
            raise NothingToDecide(place)
        return Ruled(close, ())
    delivered = await repository.load_delivered([place.symbol], beside=Bars.blank(np.empty(0, dtype="M8[D]"), ()))
    rulings = dict(await repository.load_rulings([place.symbol]))
    now = judge(delivered, rulings)
    undecided = judge(delivered, {other: ruling for other, ruling in rulings.items() if other != place})
    about = (place.symbol, place.session, place.rule)
    found = next((v for v in undecided.verdicts if (v.symbol, v.session, v.rule) == about), None)
    if found is None:
        raise NothingToDecide(place)
    then = judge(delivered, {**rulings, place: Ruling(request.decision, found.value)})
    return Ruled(found.value, tuple(_changes(now.used, then.used)))


async def rule_on_bar(request: RulingRequest, connection: AsyncConnection) -> Ruled:
    """Keep a decision; the next run over the symbol applies it.

    Raises
    ------
    NothingToDecide
        If there is no such verdict.
    """
    ruled = await weigh_ruling(request, connection)
    ruling = {request.place: Ruling(request.decision, ruled.value)}
    await JudgementRepository(connection).append_rulings(ruling, decided_by=request.decided_by, why=request.why)
    return ruled


def _changes(before: Bars, after: Bars) -> Iterator[BarChange]:
    differs = before.present != after.present
    differs |= (before.split != after.split) | (before.dividend != after.dividend)
    for row in np.flatnonzero(differs[:, 0]).tolist():
        yield BarChange(
            session=before.sessions[row].item(),
            close_before=_close(before, row),
            close_after=_close(after, row),
            split_before=float(before.split[row, 0]),
            split_after=float(after.split[row, 0]),
        )


def _close(bars: Bars, row: int) -> float | None:
    return float(bars.close[row, 0]) if bars.present[row, 0] else None
