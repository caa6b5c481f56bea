"""A key is nowhere but where its vendor reads it, whatever the vendor says back."""

import io
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import redirect_stderr
from datetime import date

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.market_data.main import build_chain, build_providers
from services.market_data.providers.provider import BarProvider, Closing, Kind, ProviderError
from services.market_data.settings import MarketDataSettings
from shared.metrics.service_metrics import ServiceMetrics
from shared.telemetry import configure_logging
from tests.unit.market_data.providers.directories import check

CANARY = "canary-9d41c7"
FIRST, LAST = date(2022, 3, 1), date(2022, 3, 31)
PLANS_WITHOUT_PACE = {"massive_plan": "advanced", "fmp_plan": "ultimate"}
VENDORS = ("fmp", "fred", "massive", "tiingo")
IN_THE_URL = {"fred"}  # it reads no header


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that anybody logs from INFO on, where httpx names its URLs; libraries speak from WARNING on only."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    # The server of the test logs what it was asked.
    handler.addFilter(lambda record: record.name != "werkzeug")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    with redirect_stderr(text):
        configure_logging(level="DEBUG")
        yield text
    root.removeHandler(handler)
    root.setLevel(level)


def _settings(server: HTTPServer, name: str) -> MarketDataSettings:
    return MarketDataSettings.model_validate(
        {"providers": (name,), f"{name}_api_key": CANARY, f"{name}_url": server.url_for(""), **PLANS_WITHOUT_PACE}
    )


def _echo(status: int) -> Callable[[Request], Response]:
    """Say the key back in body and headers, as servers that log requests do."""

    def answer(request: Request) -> Response:
        return Response(
            f"you sent {request.headers}",
            status=status,
            headers={"Location": f"https://elsewhere.example/?key={CANARY}"},
        )

    return answer


async def _failure(asking: Awaitable[object]) -> str:
    try:
        return repr(await asking)
    except ProviderError:
        return traceback.format_exc()


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 402, 403, 404, 429, 500])
async def test_key_is_in_no_other_url_log_error_or_reason(
    httpserver: HTTPServer, logged: io.StringIO, name: str, status: int
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_handler(_echo(status))
    settings = _settings(httpserver, name)
    providers = build_providers(settings)
    chain = build_chain(settings, providers, ServiceMetrics("market_data"))
    said = [repr(settings), str(settings), repr(vars(providers[0]))]

    said.append(repr(await chain.fetch_bars(["AAPL", "KO"], FIRST, LAST, check)))
    said.append(repr(await chain.fetch_profiles(["AAPL", "KO"])))
    said.append(repr(await chain.fetch_statements(["AAPL", "KO"], LAST)))
    said.append(repr(await chain.fetch_rates(["DGS3MO", "DGS10"], FIRST, LAST)))
    said += [await chain.edition(kind) for kind in Kind]
    for provider in providers:
        if isinstance(provider, BarProvider):
            said.append(await _failure(provider.fetch_bars(["AAPL"], FIRST, LAST)))
        if isinstance(provider, Closing):
            await provider.close()

    requests = [request for request, _ in httpserver.log]
    assert requests, "nobody asked"
    assert all((CANARY in request.url) is (name in IN_THE_URL) for request in requests)
    assert all((CANARY in str(request.headers)) is (name not in IN_THE_URL) for request in requests)
    assert CANARY not in "\n".join(said)
    assert CANARY not in logged.getvalue()
