"""A server that speaks the shapes of Financial Modeling Prep, of invented companies."""

from collections.abc import Callable
from datetime import date
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.unit.market_data.providers.vendors.answers import as_json

TODAY = date(2022, 3, 31)
COMPANIES = {"AAPL": "Pippin Orchards Inc.", "KO": "Fizz Bottlers Co.", "BRK-B": "Mill & Loom Corp."}
LIMIT = {"Error Message": "Limit Reach . Please upgrade your plan or visit our documentation"}
BAD_KEY = {"Error Message": "Invalid API KEY. Please retry or visit our documentation to create one"}
_NUMBERS = "123456789"
NO_SYMBOL = "Premium Query Parameter: 'Special Endpoint : This value set for 'symbol' is not available"
NO_PERIOD = "Premium Query Parameter: 'Special Endpoint : This value set for 'period' is not available"
NO_ENDPOINT = "Restricted Endpoint: This endpoint is not available under your current subscription"


def name_of(symbol: str) -> str | None:
    """Return the name of a company; KO1 is another one that is called as KO is."""
    return COMPANIES.get(symbol.rstrip(_NUMBERS))


def profile(symbol: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "price": 150,
        "marketCap": 123_000_000_000,
        "beta": 1.11,
        "lastDividend": 0.5,
        "range": "101.5-199.25",
        "companyName": name_of(symbol),
        "currency": "USD",
        "exchange": "NASDAQ",
        "industry": "Orchards",
        "website": "https://pippin.example",
        "description": "Grows apples.\n" * 200,
        "ceo": "Ann Pippin",
        "sector": "Technology",
        "country": "US",
        "fullTimeEmployees": "1234",
        "isEtf": False,
        "isFund": False,
        "isAdr": False,
        "isActivelyTrading": True,
    }


def calendar() -> list[dict[str, Any]]:
    """Return earnings that were, the next ones and those after them, not in their order."""
    days = ("2022-06-20", "2022-04-28", "2022-03-02", "2022-05-01")
    return [
        {"symbol": symbol, "date": day, "epsActual": None, "epsEstimated": 1.5, "revenueEstimated": 9_000_000}
        for symbol in COMPANIES
        for day in days
    ]


def statement(path: str, symbol: str, period: str, year: int) -> dict[str, Any]:
    """Return a statement: a few items, none of any company there is."""
    end, filed = (f"{year}-12-31", f"{year + 1}-02-05") if period == "FY" else (f"{year}-06-30", f"{year}-07-23")
    row: dict[str, Any] = {"date": end, "symbol": symbol, "reportedCurrency": "USD", "filingDate": filed}
    row |= {"fiscalYear": str(year), "period": period}
    items: dict[str, dict[str, float]] = {
        "income-statement": {"revenue": 1000.0, "costOfRevenue": 400.0, "netIncome": 150.0, "eps": 1.5}
        | {"weightedAverageShsOut": 100.0, "weightedAverageShsOutDil": 101.0, "depreciationAndAmortization": 20.0},
        "balance-sheet-statement": {"totalAssets": 5000.0, "totalStockholdersEquity": 2000.0, "totalDebt": 700.0},
        "cash-flow-statement": {"operatingCashFlow": 300.0, "capitalExpenditure": -80.0, "netDividendsPaid": -40.0},
    }
    return row | items[path]


def serve(server: HTTPServer, *, key: str) -> None:
    """Answer as the vendor does for a key."""

    def checked(answer: Callable[[Request], Any]) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            if request.headers.get("apikey") != key:
                return as_json(BAD_KEY, status=401)
            return as_json(answer(request))

        return respond

    def profiles(request: Request) -> Any:
        symbol = request.args["symbol"]
        return [profile(symbol)] if name_of(symbol) else []

    def statements(path: str) -> Callable[[Request], Any]:
        def answer(request: Request) -> Any:
            symbol, period = request.args["symbol"], {"annual": "FY", "quarter": "Q2"}[request.args["period"]]
            return [statement(path, symbol, period, year) for year in (2021, 2020) if name_of(symbol)]

        return answer

    server.expect_request("/stable/profile").respond_with_handler(checked(profiles))
    server.expect_request("/stable/earnings-calendar").respond_with_handler(checked(lambda _: calendar()))
    for path in ("income-statement", "balance-sheet-statement", "cash-flow-statement"):
        server.expect_request(f"/stable/{path}").respond_with_handler(checked(statements(path)))
