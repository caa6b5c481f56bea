"""What a company costs and what that is a multiple of, all symbols at once (methodology, 4)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.symbol_analytics.core.amounts import Amounts, newest, profile_figure, trailing_year
from services.symbol_analytics.core.columns import RATIOS
from services.symbol_analytics.core.freshness import checked_closes, why_no_close
from services.symbol_analytics.core.fundamentals import KnownFundamentals
from services.symbol_analytics.core.rows import OUT_OF_RANGE
from services.symbol_analytics.core.share_counts import market_values
from shared.arrays import DateArray, FloatArray, ReasonArray, TextArray
from shared.unavailable import Quantities, Reason, Unavailable, reason_where

OF_A_FUND: Final = Unavailable(Reason.NOT_APPLICABLE, "a fund has no statements of its own")


@dataclass(frozen=True, slots=True, eq=False)
class ValuationRatios:
    """The ratios of a shard, arrays of shape (n_symbols, n_ratios) in the order of RATIOS.

    Parameters
    ----------
    quantities : Quantities
    bases : ndarray of object
        What the number rests on, see `amounts`; None where there is no number.
    period_ends : ndarray of datetime64[D]
        The end of the period, or the day of the profile's figure; NaT where there is no number.
    """

    quantities: Quantities
    bases: TextArray
    period_ends: DateArray


def valuation_ratios(
    closes: FloatArray, split_factors: FloatArray, sessions: DateArray, known: KnownFundamentals
) -> ValuationRatios:
    """Return market value, P/E, P/B, P/S, EV/EBITDA and dividend yield of each symbol as of the last session.

    The market value is the as-traded close times the number of shares: the newest of the quarterly and the annual
    diluted average and the profile's number, in today's share units; without any, the market value of the profile. It
    is divided by net income, revenue and, with net debt added, EBITDA of the trailing year, and by the equity of the
    newest balance sheet. The dividend yield is what was paid in the trailing year over the market value, or else the
    profile's.

    Parameters
    ----------
    closes : ndarray of shape (n_sessions, n_symbols)
        As traded, oldest first, the last row at as_of; NaN where there is none.
    split_factors : ndarray of shape (n_sessions, n_symbols)
        New shares per old share effective that session.
    sessions : ndarray of datetime64[D], shape (n_sessions,)
    known : KnownFundamentals
        As of the last session.

    Returns
    -------
    ValuationRatios
        Market value in the currency of the price, the others without unit. Without a close at as_of every ratio has
        the reason of the missing close; see `amounts` and `share_counts` for those of what it is made of.
        `NOT_APPLICABLE`: multiples of a fund, and of net income, equity, revenue or EBITDA that are not positive.
        `DEGENERATE_INPUT`: dividends that came in, a negative yield, a result beyond the range of a float.

    Raises
    ------
    ValueError
        If the shapes disagree, or a close or split factor is not positive and finite.

    Notes
    -----
    NaN policy: an item or figure that is not known is a reason. A symbol's ratios are the same bits whatever symbols
    share the shard. Enterprise value leaves out minority interest and preferred stock, which no statement here has.

    References
    ----------
    Damodaran, *Investment Valuation*, chapters 18 to 20. Shares and splits: FASB ASC 260-10-55-12 (IAS 33.64).
    """
    no_close = why_no_close(checked_closes(closes), known.as_of)
    with np.errstate(over="ignore", invalid="ignore"):  # `_within_range` gives what overflows its reason
        market_cap = market_values(closes, split_factors, sessions, known).without(no_close)
        columns = {"market_cap": market_cap, "dividend_yield": _dividend_yield(market_cap, known)}
        columns |= {name: column.without(_of_fund(known)) for name, column in _multiples(market_cap, known).items()}
    table = [_within_range(columns[name].without(no_close)) for name in RATIOS]
    return ValuationRatios(
        Quantities(
            np.stack([column.values for column in table], axis=1),
            np.stack([column.unavailable for column in table], axis=1),
        ),
        np.stack([column.bases for column in table], axis=1),
        np.stack([column.days for column in table], axis=1),
    )


def _multiples(market_cap: Amounts, known: KnownFundamentals) -> dict[str, Amounts]:
    net_debt = _newest(known, "net_debt")
    enterprise = Amounts(
        market_cap.values + net_debt.values, market_cap.unavailable, market_cap.bases, market_cap.days
    ).without(net_debt.unavailable)
    return {
        "pe_ratio": _multiple(market_cap, _trailing(known, "income", "net_income"), "net income"),
        "pb_ratio": _multiple(market_cap, _newest(known, "total_stockholders_equity"), "equity"),
        "ps_ratio": _multiple(market_cap, _trailing(known, "income", "total_revenue"), "revenue"),
        "ev_to_ebitda": _multiple(enterprise, _trailing(known, "income", "ebitda"), "EBITDA"),
    }


def _multiple(price: Amounts, amount: Amounts, what: str) -> Amounts:
    """Return the price over the amount, on the amount's basis and of its period."""
    amount = amount.refused(
        amount.values <= 0.0,
        Reason.NOT_APPLICABLE,
        lambda symbol: f"{what} to {amount.days[symbol]} is not positive: {amount.values[symbol]:g}",
    )
    positive = np.where(amount.available, amount.values, 1.0)
    multiple = Amounts(price.values / positive, amount.unavailable, amount.bases, amount.days)
    return multiple.without(price.unavailable).without(amount.unavailable)


def _dividend_yield(market_cap: Amounts, known: KnownFundamentals) -> Amounts:
    paid = _trailing(known, "cash_flow", "dividends_paid").without(_of_fund(known))
    paid = paid.refused(
        paid.values > 0.0,
        Reason.DEGENERATE_INPUT,
        lambda symbol: f"dividends paid must not be positive, was {paid.values[symbol]:g}",
    )
    own = Amounts(np.abs(paid.values) / market_cap.values, paid.unavailable, paid.bases, paid.days)
    own = own.without(market_cap.unavailable).without(paid.unavailable)
    given = profile_figure(known.figures["dividend_yield"], "dividend_yield", as_of=known.as_of)
    given = given.refused(
        given.values < 0.0,
        Reason.DEGENERATE_INPUT,
        lambda symbol: f"the profile's yield must not be negative, was {given.values[symbol]:g}",
    )
    reported = (
        known.statements["cash_flow", "quarterly"].present[:, 0]
        | (known.statements["cash_flow", "annual"].present[:, 0])
    )
    return own.or_else(given, keep=np.where(reported & ~known.funds, own.unavailable, given.unavailable))


def _trailing(known: KnownFundamentals, statement: str, item: str) -> Amounts:
    quarters, years = (known.statements[statement, frequency] for frequency in ("quarterly", "annual"))
    return trailing_year(quarters, years, item, as_of=known.as_of, currencies=known.currencies)


def _newest(known: KnownFundamentals, item: str) -> Amounts:
    quarters, years = (known.statements["balance", frequency] for frequency in ("quarterly", "annual"))
    return newest(quarters, years, item, as_of=known.as_of, currencies=known.currencies)


def _of_fund(known: KnownFundamentals) -> ReasonArray:
    return reason_where(known.funds, OF_A_FUND)


def _within_range(column: Amounts) -> Amounts:
    return column.lacking(~np.isfinite(column.values), OUT_OF_RANGE)
