"""Whether two runs would compute the same cells."""

from collections.abc import Set as AbstractSet

from services.scheduler.core.backfill_plan import Selection


def overlap(one: Selection, other: Selection) -> bool:
    """Tell whether two runs have a session in common, and at it a portfolio.

    Where either is about symbols alone, a symbol. Two portfolios that hold the same symbol don't overlap: what is
    computed of a symbol belongs to nobody, and is the same for both.

    Examples
    --------
    >>> from datetime import date
    >>> from services.scheduler.core.backfill_plan import Scope
    >>> week = date(2025, 3, 10), date(2025, 3, 14)
    >>> mine, yours = (Selection(*week, Scope(frozenset({"AAPL"}), frozenset({book}))) for book in ("mine", "yours"))
    >>> overlap(mine, yours), overlap(mine, Selection(*week))
    (False, True)
    """
    if one.first > other.last or other.first > one.last:
        return False
    portfolios = one.scope.portfolio_ids, other.scope.portfolio_ids
    if frozenset() in portfolios:
        return _share(one.scope.symbols, other.scope.symbols)
    return _share(*portfolios)


def _share(one: AbstractSet[str] | None, other: AbstractSet[str] | None) -> bool:
    # None are all of them.
    if one is None or other is None:
        return one != frozenset() and other != frozenset()
    return not one.isdisjoint(other)
