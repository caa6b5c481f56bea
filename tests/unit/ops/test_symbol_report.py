"""Asking for a symbol that nobody knows."""

from typing import Any, cast

import pytest

from services.ops.client.client import ApiClient
from services.ops.client.importing import with_sources
from services.ops.client.routes import Route
from services.ops.client.symbol_report import load_symbol
from services.ops.errors import NOT_FOUND, Misused, Refused
from tests.unit.ops.test_importing import UNDERSTOOD

KNOWN = [{"symbol": symbol, "last_as_of": "2022-12-28"} for symbol in ("AAPL", "BRK.B", "MSFT")]


class Platform:
    """Knows three symbols, and has prices of one."""

    def get(self, route: Route[Any], **query: Any) -> Any:
        symbol = route.name.rpartition("/")[2]
        if route.name == "GET /symbols":
            return {"items": KNOWN, "next": None}
        if route.name == "GET /sources":
            assert len(query["symbol"]) <= 200
            return {"items": [_source(symbol) for symbol in query["symbol"]], "next": None}
        raise Refused(NOT_FOUND, f"nothing of {symbol}")


def _source(symbol: str) -> dict[str, str | None]:
    found = symbol == "AAPL"
    return {"symbol": symbol, "source": "files" if found else None, "detail": None if found else "nobody"}


CLIENT = cast("ApiClient", Platform())


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("APPL", "nothing is known of APPL; did you mean 'AAPL'?"),
        ("BRKB", "nothing is known of BRKB; did you mean 'BRK.B'?"),
        ("XYZZY", "nothing is known of XYZZY"),
        ("MSFT", "nothing is known of MSFT"),
    ],
)
def test_symbol_that_nobody_knows_is_told_with_those_that_are_like_it(symbol: str, said: str) -> None:
    with pytest.raises(Misused) as refused:
        load_symbol(CLIENT, symbol, None)
    assert str(refused.value) == said


def test_import_asks_for_the_source_of_each_symbol() -> None:
    unknown = [f"X{index}" for index in range(250)]
    tried = with_sources(CLIENT, {**UNDERSTOOD, "symbols": [*unknown, "AAPL", "MSFT"]}, None)
    assert tried["without_source"] == dict.fromkeys([*unknown, "MSFT"], "nobody")
