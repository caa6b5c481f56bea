"""The valuation of a shard of portfolios: labels on one side, arrays on the other."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

import numpy as np

from services.portfolio.core.assembly import (
    NOT_HELD,
    Known,
    ShardArrays,
    Window,
    assemble,
    assemble_contracts,
    flows_by_session,
)
from services.portfolio.core.cents import AmountOutOfRange, cents_of
from services.portfolio.core.currency import Unvalued
from services.portfolio.core.delivery import ends_in_shares, from_before, shares_id, shares_of
from services.portfolio.core.digest import snapshot_digests
from services.portfolio.core.inheritance import LastClose, SplitHistory
from services.portfolio.core.options import Contracts, OptionExposures, Underlyings, settlements, strikes
from services.portfolio.core.portfolios import OpeningState, Portfolio
from services.portfolio.core.positions import Flow, Position
from services.portfolio.core.risk_free import Quoted, option_rates
from services.portfolio.core.trades import Market
from services.portfolio.core.valuation import Opening, Valuation, roll_forward
from shared.arrays import BoolArray, IntArray
from shared.prices.window import PriceWindow


@dataclass(frozen=True, slots=True)
class RollInputs:
    """A shard of portfolios and everything that its valuation depends on.

    `closed` are the positions of which nothing is held at the opening: valued before and sold, or options that had been
    settled. `sectors` are by symbol, of underlyings too. `splits` are those of the symbols of positions to inherit.
    `before` are the prices up to the opening, of all symbols where a position has to be inherited and else of none,
    `during` those of the sessions to value; `underlyings` are those of the options, and reach further back. `settles`
    has the session that settles each option. `unvalued` has the reasons why positions are held and not valued. `rates`
    are those that options are valued at; None: nobody is asked for them.
    """

    portfolios: tuple[Portfolio, ...]
    positions: tuple[Position, ...]
    flows: tuple[Flow, ...]
    opening: OpeningState
    closed: frozenset[UUID]
    sectors: Mapping[str, str]
    splits: Mapping[str, SplitHistory]
    window: Window
    before: PriceWindow
    during: PriceWindow
    underlyings: PriceWindow
    settles: Mapping[UUID, date]
    unvalued: Mapping[UUID, Unvalued] = field(default_factory=dict)
    rates: Quoted | None = None

    def only(self, portfolio_ids: Collection[UUID]) -> "RollInputs":
        """Return the part of the shard that these portfolios are."""
        return replace(
            self,
            portfolios=tuple(entry for entry in self.portfolios if entry.portfolio_id in portfolio_ids),
            positions=tuple(position for position in self.positions if position.portfolio_id in portfolio_ids),
            flows=tuple(flow for flow in self.flows if flow.portfolio_id in portfolio_ids),
        )


@dataclass(frozen=True, slots=True)
class Rolled:
    """A valuation with its labels and the digest of each snapshot's inputs: ``digests[session][portfolio]``."""

    portfolio_ids: tuple[UUID, ...]
    sessions: tuple[date, ...]
    positions: tuple[Position, ...]
    sectors: tuple[str, ...]
    arrays: ShardArrays
    market: Market
    opening: Opening
    valuation: Valuation
    options: OptionExposures
    exposures: IntArray  # (n_sessions, n_positions), cents
    unvalued: Mapping[UUID, Unvalued]
    digests: list[list[str]]
    delivered: tuple[Position, ...] = ()  # of `positions` those that options end in within the sessions


def roll_shard(inputs: RollInputs) -> tuple[Rolled, Mapping[UUID, AmountOutOfRange]]:
    """Value the shard; a portfolio whose amounts cannot be counted in cents costs only itself.

    Returns
    -------
    tuple of Rolled and mapping of UUID to AmountOutOfRange
        The portfolios that could be valued, and why the others could not.
    """
    try:
        return roll(inputs), {}
    except AmountOutOfRange:
        ids = [entry.portfolio_id for entry in inputs.portfolios]
        refused = {portfolio_id: why for portfolio_id in ids if (why := _why_not(inputs, portfolio_id))}
        return roll(inputs.only([portfolio_id for portfolio_id in ids if portfolio_id not in refused])), refused


def _why_not(inputs: RollInputs, portfolio_id: UUID) -> AmountOutOfRange | None:
    try:
        roll(inputs.only([portfolio_id]))
    except AmountOutOfRange as error:
        return error
    return None


def roll(inputs: RollInputs) -> Rolled:
    """Value the shard, with the shares that options end in.

    Raises
    ------
    AmountOutOfRange
        If an amount of any portfolio cannot be counted in cents.
    """
    stored = from_before(inputs.positions, inputs.window)
    kept = replace(inputs, positions=tuple(entry for entry in inputs.positions if entry.position_id not in stored))
    delivered = tuple(_deliveries(kept, stored))
    if not delivered:
        return _valued(kept)
    unvalued = {shares_id(key): why for key, why in inputs.unvalued.items()}
    ids = {position.position_id for position in delivered}
    with_shares = replace(
        kept,
        positions=kept.positions + delivered,
        unvalued={**kept.unvalued, **{key: why for key, why in unvalued.items() if key in ids}},
    )
    return replace(_valued(with_shares), delivered=delivered)


def _deliveries(inputs: RollInputs, stored: Mapping[UUID, Position]) -> Iterator[Position]:
    """Yield the shares that options in the money end in, with the exits that they had already."""
    contracts, underlyings = _contracts(inputs), _underlyings(inputs)
    settled = settlements(contracts, underlyings)
    ending = settled.only((settled.price > 0) & _in_shares(inputs)[settled.position])
    if not ending.position.size:
        return
    # What is left of them at the close, after its splits and exits, where they don't end.
    waiting = _valued(inputs, without=ending.position).valuation.positions.quantity
    places = {position: option for option, position in enumerate(contracts.position.tolist())}
    strike = strikes(contracts, underlyings)
    for position, session in zip(ending.position.tolist(), ending.session.tolist(), strict=True):
        if waiting[session, position] != 0:
            option = inputs.positions[position]
            before = stored.get(shares_id(option.position_id))
            yield shares_of(
                option,
                contracts=float(waiting[session, position]),
                strike=float(strike[session, places[position]]),
                on=inputs.window.sessions[session],
                exits=() if before is None else before.terms.exits,
            )


def _in_shares(inputs: RollInputs) -> BoolArray:
    return np.array([ends_in_shares(position.terms) for position in inputs.positions], dtype=np.bool_)


def _valued(inputs: RollInputs, *, without: IntArray | None = None) -> Rolled:
    """Value the shard; options end at nothing where they end in shares, and not at all `without` their end."""
    index = {portfolio.portfolio_id: number for number, portfolio in enumerate(inputs.portfolios)}
    columns = {symbol: number for number, symbol in enumerate(inputs.during.symbols)}
    states = {**inputs.opening.positions, **dict.fromkeys(inputs.closed, NOT_HELD)}
    states |= {key: state for key, state in inputs.opening.unvalued.items() if key in inputs.unvalued}
    known = Known(states, _last_closes(inputs.before), inputs.splits, inputs.unvalued.keys())
    arrays = assemble(inputs.positions, inputs.window, portfolios=index, columns=columns, known=known)
    flows = flows_by_session(inputs.flows, inputs.window, portfolios=index)
    market = Market(inputs.during.close, inputs.during.split, inputs.during.dividend)
    opening = _opening(inputs, arrays)
    contracts, underlyings = _contracts(inputs), _underlyings(inputs)
    settled = settlements(contracts, underlyings)
    settled = replace(settled, price=np.where(_in_shares(inputs)[settled.position], 0.0, settled.price))
    if without is not None:
        settled = settled.only(~np.isin(settled.position, without))
    arrays = replace(arrays, exits=arrays.exits.then(settled))
    valuation = roll_forward(arrays.positions, market, exits=arrays.exits, flows=flows, opening=opening)
    own_closes = market.closes_of(arrays.positions.column[contracts.position])
    options = OptionExposures.of(contracts, underlyings, own_closes, option_rates(underlyings.during, inputs.rates))
    values = valuation.positions
    valued = np.array([position.position_id not in inputs.unvalued for position in inputs.positions], dtype=np.bool_)
    exposures = options.exposures(values.market_value, values.quantity, underlyings.closes) * valued
    rates = np.zeros(exposures.shape)
    rates[:, contracts.position] = options.terms.rate
    digests = snapshot_digests(
        arrays,
        market,
        opening=opening,
        valuation=valuation,
        labels=_labels(inputs),
        exposed=np.stack([exposures, rates], axis=-1),
    )
    return Rolled(
        portfolio_ids=tuple(index),
        sessions=inputs.window.sessions,
        positions=inputs.positions,
        sectors=tuple(inputs.sectors[position.terms.symbol] for position in inputs.positions),
        arrays=arrays,
        market=market,
        opening=opening,
        valuation=valuation,
        options=options,
        exposures=exposures,
        unvalued=inputs.unvalued,
        digests=digests,
    )


def _labels(inputs: RollInputs) -> list[str]:
    """Return what is said of each position beside numbers: its sector, and why it is not valued."""
    told = [
        (inputs.sectors[position.terms.symbol], inputs.unvalued.get(position.position_id))
        for position in inputs.positions
    ]
    return [sector if why is None else f"{sector} {why.reason} {why.detail}" for sector, why in told]


def _contracts(inputs: RollInputs) -> Contracts:
    columns = {symbol: number for number, symbol in enumerate(inputs.underlyings.symbols)}
    opened = {portfolio.portfolio_id: portfolio.opened_on for portfolio in inputs.portfolios}
    return assemble_contracts(inputs.positions, columns, settles=inputs.settles, opened=opened)


def _underlyings(inputs: RollInputs) -> Underlyings:
    prices = inputs.underlyings
    sessions = len(inputs.window.sessions)
    return Underlyings(prices.sessions, prices.close, prices.adjusted, prices.split, prices.dividend, sessions)


def _opening(inputs: RollInputs, arrays: ShardArrays) -> Opening:
    # A portfolio without a snapshot before its first session begins with its opening equity and an index of one.
    known = inputs.opening
    equity = [
        known.equity.get(portfolio.portfolio_id, cents_of(portfolio.opening_equity)) for portfolio in inputs.portfolios
    ]
    index = [known.twr_index.get(portfolio.portfolio_id, 1.0) for portfolio in inputs.portfolios]
    return Opening(np.array(equity, dtype=np.int64), np.array(index, dtype=np.float64), arrays.holdings)


def _last_closes(before: PriceWindow) -> dict[str, LastClose]:
    present = np.isfinite(before.close)
    age = np.argmax(present[::-1], axis=0) if len(present) else np.zeros(0, dtype=np.int64)
    closes: dict[str, LastClose] = {}
    for column in np.flatnonzero(present.any(axis=0)).tolist():
        row = len(present) - 1 - int(age[column])
        later_splits = float(np.prod(before.split[row + 1 :, column]))
        closes[before.symbols[column]] = LastClose(float(before.close[row, column]) / later_splits, int(age[column]))
    return closes
