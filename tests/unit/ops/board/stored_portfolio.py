"""What a platform may answer about one portfolio, with text of others wherever it may say any."""

from typing import Any, Final

from tests.unit.ops.board.world import HOSTILE
from tests.unit.ops.overviews import RISK_CHANGED, VALUE_CHANGED, overview

TURNED: Final = "\u202e"


def portfolio_answers(portfolio_id: str) -> dict[str, Any]:
    """Return an answer for every route that the page of a portfolio reads."""
    found, books, risk = overview(), f"GET /portfolios/{portfolio_id}", f"GET /risk/portfolios/{portfolio_id}"
    hostile = {**found["positions"][0], "symbol": HOSTILE + TURNED, "sector": HOSTILE}
    unvalued = {**hostile, "value_reason": "CURRENCY_MISMATCH", "value_detail": HOSTILE, "market_value": None}
    assert found["worst_scenario"] is not None
    assert found["correlations"] is not None
    named = {**found["worst_scenario"]["holdings"][0], "symbol": HOSTILE}
    explained = {**found["worst_scenario"], "holdings": [named], "prices": []}
    cluster = {"name": HOSTILE, "symbols": [HOSTILE]}
    return {
        books: (200, {**found["portfolio"], "portfolio_id": portfolio_id, "name": HOSTILE + TURNED, "owner": None}),
        f"{books}/snapshots": _listed(found["snapshot"]),
        f"{books}/values": _listed(hostile, unvalued),
        f"{books}/performance": (200, found["performance"]),
        f"{books}/realised": (200, found["realised"]),
        f"{books}/changes": (200, VALUE_CHANGED),
        f"{books}/explain/equity": (200, _explained(hostile)),
        "GET /risk": _listed(found["risk"]),
        f"{risk}/stress": (200, found["stress"]),
        f"{risk}/contributions": (200, found["contributions"]),
        f"{risk}/active-sectors": (200, found["active_sectors"]),
        f"{risk}/correlations": (200, {**found["correlations"], "symbols": ["A", HOSTILE], "clusters": [cluster]}),
        f"{risk}/changes": (200, RISK_CHANGED),
        f"{risk}/explain/market_down_10.model": (200, explained),
    }


def _explained(value: dict[str, Any]) -> dict[str, Any]:
    number = {"value": 101.0, "reason": None, "detail": None}
    told = {"measure": "equity", "stored": number, "recomputed": number, "inputs_unchanged": True, "agrees": True}
    return {
        **told,
        "snapshot": overview()["snapshot"],
        "positions": [{"value": value, "contribution": None}],
        "prices": [],
    }


def _listed(*items: Any) -> tuple[int, Any]:
    return 200, {"items": items, "next": None}
