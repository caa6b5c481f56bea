"""From stored bars and profiles to events."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from services.market_data.core.bars import Bars
from services.market_data.core.profile import Profile as StoredProfile
from shared.contracts.event import Failure
from shared.contracts.market_data import (
    Column,
    CorporateAction,
    MarketDataDue,
    PriceBlock,
    PricesUpdated,
    Profile,
    ProfilesUpdated,
)
from shared.unavailable import FloatArray, nullable


def prices_updated(
    event: MarketDataDue, grids: Sequence[Bars], unavailable: Mapping[str, tuple[str, str]]
) -> PricesUpdated:
    """Return the announcement of these bars, and of the symbols that should have some and don't."""
    failures = [
        Failure(subject=symbol, reason=reason, detail=detail) for symbol, (reason, detail) in unavailable.items()
    ]
    return PricesUpdated(
        run=event.run,
        part=event.part,
        subjects=len(event.symbols),
        failures=tuple(sorted(failures, key=lambda failure: failure.subject)),
        blocks=tuple(_block(bars.select(_with_bars(bars))) for bars in grids),
        splits=tuple(action for bars in grids for action in _actions(bars, "split", blank=1.0)),
        dividends=tuple(action for bars in grids for action in _actions(bars, "dividend", blank=0.0)),
    )


def _with_bars(bars: Bars) -> list[str]:
    return [bars.symbols[column] for column in np.flatnonzero(bars.present.any(axis=0))]


def _block(bars: Bars) -> PriceBlock:
    sessions = tuple(bars.sessions.tolist())
    return PriceBlock(
        sessions=sessions, symbols=bars.symbols, close=_columns(bars.close), adjusted=_columns(bars.adjusted)
    )


def _columns(grid: FloatArray) -> tuple[Column, ...]:
    return tuple(map(tuple, nullable(grid.T)))


def _actions(bars: Bars, field: str, *, blank: float) -> list[CorporateAction]:
    grid: FloatArray = getattr(bars, field)
    rows, columns = np.nonzero(bars.present & (grid != blank))
    return [
        CorporateAction(symbol=bars.symbols[column], session=bars.sessions[row].item(), value=float(grid[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def profiles_updated(
    event: MarketDataDue, profiles: Mapping[str, tuple[StoredProfile, str]], *, fetched_at: datetime
) -> ProfilesUpdated:
    """Return the announcement of these profiles; a part without any still counts."""
    announced = tuple(
        Profile(**dataclasses.asdict(profile), source=source, fetched_at=fetched_at)
        for _, (profile, source) in sorted(profiles.items())
    )
    return ProfilesUpdated(run=event.run, part=event.part, subjects=len(announced), profiles=announced)
