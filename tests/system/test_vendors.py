"""Books over vendors that fail in turn, from the command line: the same numbers whoever answered, and said who did."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from services.ops.client.commands.options import ClientOptions
from services.ops.client.routes import PRICES
from tests.support.command_line import answer, open_to_others, sigmasight, up
from tests.support.stack import wanted_broker
from tests.support.vendor_books import LAST, enter, numbers
from tests.unit.market_data.providers.vendors import massive_server, tiingo_server, yahoo_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(wanted_broker() == "testcontainers", reason="`up` runs its own broker"),
]

KEY = "canary-2f84"
ONLY_MARKET = (
    '{"value":null,"growth":null,"momentum":null,"quality":null,"size":null,"low_volatility":null,'
    '"market":"AAPL","rate":null}'
)
# The vendors' own paths, and how each fails.
DOWN = {
    "massive": (re.compile("/(v2|stocks)/.*"), f"Bad Gateway for {KEY}", 502),
    "tiingo": (re.compile("/tiingo/.*"), "<html>Are you a robot?</html>", 200),
    "yahoo": (re.compile("/v8/.*"), "Edge: Too Many Requests", 429),
}


def _serve(server: HTTPServer, *, down: tuple[str, ...] = ()) -> None:
    server.clear()
    for name in down:
        path, body, status = DOWN[name]
        server.expect_request(path).respond_with_data(body, status=status)
    massive_server.serve(server, key=KEY)
    tiingo_server.serve(server, key=KEY)
    yahoo_server.serve(server)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, make_httpserver: HTTPServer) -> Iterator[Path]:
    url = make_httpserver.url_for("")
    _serve(make_httpserver)
    environment = {
        **{f"MARKET_DATA_{name.upper()}_URL": url for name in DOWN},
        "POLYGON_API_KEY": KEY,
        "POLYGON_PLAN": "advanced",
        "TIINGO_API_KEY": KEY,
        "TIINGO_PLAN": "power",
        "FACTOR_SET": ONLY_MARKET,
    }
    directory = open_to_others(tmp_path_factory.mktemp("vendors"))
    with up(directory, "--providers", ",".join(DOWN), "--workers", "1", environment=environment):
        yield directory


def test_numbers_are_the_same_whichever_healthy_vendor_answered(data_dir: Path, make_httpserver: HTTPServer) -> None:
    shown: dict[str, Any] = {}
    for number, (source, down) in enumerate(
        [("massive", ()), ("tiingo", ("massive",)), ("yahoo", ("massive", "tiingo"))], start=1
    ):
        _serve(make_httpserver, down=down)
        enter(data_dir, source, f"KO{number}")
        with ClientOptions(data_dir=data_dir).connected() as client:
            bars = client.get(PRICES.at(symbol=f"KO{number}"), limit=1000)["items"]
        shown[source] = [answer(data_dir, "show", "portfolio", source, "--as-of", LAST), bars]
        why = answer(data_dir, "why", f"KO{number}", "--as-of", LAST)
        assert why["bar"]["source"] == source
        assert [each["provider"] for each in why["attempts"] if each["kind"] == "bars"] == list(down)

    by_massive, *others = ([*numbers(shown[source])] for source in shown)
    assert len(by_massive) > 2_000
    for other in others:
        assert other == pytest.approx(by_massive, rel=1e-6)


def test_platform_without_a_healthy_vendor_says_who_failed_and_how(data_dir: Path, make_httpserver: HTTPServer) -> None:
    _serve(make_httpserver, down=tuple(DOWN))
    enter(data_dir, "nobody", "BRK.B")

    why = answer(data_dir, "why", "BRK.B", "--as-of", LAST)
    status = answer(data_dir, "status")

    assert why["bar"] is None
    said = {each["provider"]: each["detail"] for each in why["attempts"] if each["kind"] == "bars"}
    assert "502: Bad Gateway" in said["massive"]
    assert "a page for people where data was due" in said["tiingo"]
    assert "Edge: Too Many Requests" in said["yahoo"]
    assert status["state"] == "ready", "a vendor that is down keeps no process from working"
    assert all(f"{name} is not asked for bars until" in status["remarks"] for name in ("tiingo", "yahoo"))
    (failure,) = status["newest"]["failures"]
    assert failure["subject"] == "BRK.B"
    assert "no provider serves BRK.B (massive: " in failure["detail"]


def test_key_of_a_vendor_is_nowhere_in_what_a_platform_says(data_dir: Path) -> None:
    said = [
        sigmasight(data_dir, *arguments).stdout
        for arguments in (("vendors",), ("status",), ("findings",), ("why", "BRK.B"), ("runs", "list"))
    ]

    assert all(said)
    assert KEY not in "".join(said)
    assert "502: Bad Gateway" in said[3] or "not asked until" in said[3]


def test_key_of_a_vendor_is_in_no_file_of_a_platform(data_dir: Path) -> None:
    # Its tables, events and dead letters, what the broker keeps, and every log.
    files = [path for path in data_dir.rglob("*") if path.is_file() and not path.is_symlink()]

    assert len(files) > 500
    assert any(b"Bad Gateway for ***" in _read(path) for path in files), "what a vendor says back is there"
    assert [path for path in files if KEY.encode() in _read(path)] == []


def _read(path: Path) -> bytes:
    # Servers that run remove files now and then.
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
