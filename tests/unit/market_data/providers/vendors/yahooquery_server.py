"""A server that speaks the shapes of Yahoo's quotes, summaries and statements, of invented companies."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.unit.market_data.providers.vendors.answers import as_json

CRUMB = "cr/umb.7"
COOKIE = "A3=invented"
COMPANIES = {"AAPL": "Pippin Orchards Inc.", "KO": "Fizz Bottlers Co.", "BRK-B": "Mill & Loom Corp."}
_NUMBERS = "123456789"
NO_CRUMB = {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
Answers = Callable[[Request], Any]


def stamp(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 21, tzinfo=UTC).timestamp())


def name_of(symbol: str) -> str | None:
    """Return the name of a company; KO1 is another one that is called as KO is."""
    return COMPANIES.get(symbol.rstrip(_NUMBERS))


def quote(symbol: str) -> dict[str, Any]:
    """Return a quote; of what is traded no more there is one without a kind."""
    if symbol == "GONE":
        return {"symbol": symbol, "quoteType": "NONE", "tradeable": False}
    return {
        "symbol": symbol,
        "quoteType": "EQUITY",
        "longName": name_of(symbol),
        "currency": "USD",
        "fullExchangeName": "NasdaqGS",
        "marketCap": 123_000_000_000,
        "sharesOutstanding": 1_000_000_000,
        "trailingPE": 21.5,
        "forwardPE": 19.25,
        "trailingAnnualDividendYield": 0.0125,
        "dividendYield": 1.25,
        "fiftyTwoWeekHigh": 199.25,
        "fiftyTwoWeekLow": 101.5,
        "regularMarketTime": stamp(date(2022, 3, 30)),
    }


def _estimate(average: float, **more: Any) -> dict[str, Any]:
    low, high = average * 0.9, average * 1.1
    told = {"avg": average, "low": low, "high": high, "numberOfAnalysts": 12, "growth": 0.04}
    return {name: {"raw": value, "fmt": str(value)} for name, value in (told | more).items()}


def summary() -> dict[str, Any]:
    """Return what is said of a company, in modules."""
    ends = {"0q": "2022-03-31", "+1q": "2022-06-30", "0y": "2022-12-31", "+1y": "2023-12-31", "-5y": None}
    return {
        "assetProfile": {
            "sector": "Technology",
            "industry": "Orchards",
            "country": "United States",
            "website": "https://pippin.example",
            "fullTimeEmployees": 1234,
            "longBusinessSummary": "Grows apples.",
            "companyOfficers": [
                {"name": "Bo Quince", "title": "CFO"},
                {"name": "Ann Pippin", "title": "CEO & Director"},
            ],
        },
        "summaryDetail": {"beta": 1.11},
        "defaultKeyStatistics": {
            "forwardEps": 8.5,
            "earningsQuarterlyGrowth": 0.07,
            "profitMargins": 0.24,
            "lastFiscalYearEnd": stamp(date(2022, 1, 31)),
        },
        "financialData": {
            "targetMeanPrice": 160.0,
            "targetHighPrice": 200.0,
            "targetLowPrice": 120.0,
            "numberOfAnalystOpinions": 40,
            "recommendationMean": 2.1,
            "recommendationKey": "buy",
            "earningsGrowth": 0.1,
            "revenueGrowth": 0.04,
            "operatingMargins": 0.34,
            "grossMargins": 0.46,
            "returnOnAssets": 0.22,
            "returnOnEquity": 1.36,
            "totalRevenue": 395_000_000_000,
        },
        "earningsTrend": {
            "trend": [
                {
                    "period": period,
                    "endDate": end,
                    "earningsEstimate": _estimate(1.5),
                    "revenueEstimate": _estimate(9e9, growth=0.05),
                }
                for period, end in ends.items()
            ]
        },
        "calendarEvents": {
            "earnings": {
                "earningsDate": [stamp(date(2022, 5, 5)), stamp(date(2022, 4, 28))],
                "earningsAverage": 1.6,
                "revenueAverage": 9.4e9,
            }
        },
    }


def series(name: str) -> dict[str, Any]:
    """Return the values of an item: two periods, and a hole."""
    ends = ["2020-12-31", "2021-12-31"] if name.startswith("annual") else ["2021-09-30", "2021-12-31"]
    rows = [
        {"asOfDate": end, "currencyCode": "USD", "reportedValue": {"raw": 1000.0 + place, "fmt": "1.00k"}}
        for place, end in enumerate(ends)
    ]
    return {"meta": {"symbol": ["KO"], "type": [name]}, "timestamp": [1, 2], name: [*rows, None]}


def serve(server: HTTPServer, *, crumb: str = CRUMB) -> None:
    """Answer as the pages' own scripts are answered: with a cookie, and a crumb for it."""

    def entered(answer: Answers) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            if request.args.get("crumb") != crumb or COOKIE not in request.headers.get("Cookie", ""):
                return as_json(NO_CRUMB, status=401)
            found = answer(request)
            return found if isinstance(found, Response) else as_json(found)

        return respond

    def quotes(request: Request) -> Any:
        rows = [quote(name) for name in request.args["symbols"].split(",") if name == "GONE" or name_of(name)]
        return {"quoteResponse": {"result": rows, "error": None}}

    def summaries(request: Request) -> Any:
        if name_of(request.path.rsplit("/", 1)[1]) is None:
            error = {"code": "Not Found", "description": "Quote not found for symbol"}
            return as_json({"quoteSummary": {"result": None, "error": error}}, status=404)
        return {"quoteSummary": {"result": [summary()], "error": None}}

    def statements(request: Request) -> Response:
        known = name_of(request.path.rsplit("/", 1)[1]) is not None
        wanted = ("TotalRevenue", "NetIncome", "TotalAssets", "OperatingCashFlow")
        names = [name for name in request.args["type"].split(",") if name.endswith(wanted)] if known else []
        return as_json({"timeseries": {"result": [series(name) for name in names], "error": None}})

    server.expect_request("/cookies").respond_with_data("", status=404, headers={"Set-Cookie": f"{COOKIE}; Path=/"})
    server.expect_request("/v1/test/getcrumb").respond_with_data(crumb, content_type="text/plain")
    server.expect_request("/v7/finance/quote").respond_with_handler(entered(quotes))
    server.expect_request(re.compile("/v10/finance/quoteSummary/.*")).respond_with_handler(entered(summaries))
    server.expect_request(re.compile("/ws/fundamentals-timeseries/.*")).respond_with_handler(statements)
