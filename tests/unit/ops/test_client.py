import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from services.ops.client import client as client_module
from services.ops.client.answers.pages import Page
from services.ops.client.client import ApiClient, connected, connections_to
from services.ops.client.paging import pages
from services.ops.client.routes import Route
from services.ops.data_directory import DataDirectory
from services.ops.errors import FieldError, Misused, Refused, Unreachable
from shared.paths import API
from tests.support.certificates import authority
from tests.support.command_line import invoke, sigmasight

_TOKEN = "secret"
RUNS: Route[Any] = Route("GET /runs", object)


@contextmanager
def _platform(answer: Any, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve `answer(path, query, headers) -> (status, body)` on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            self._reply(*answer(address.path, parse_qs(address.query), self.headers))

        def do_PUT(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(200, [self.command, self.path, sent])

        def do_POST(self) -> None:
            self.do_PUT()

        def _reply(self, status: int, body: Any) -> None:
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    # It looks so often whether it is to end, by default every half second.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}" if tls is None else f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDirectory:
    (tmp_path / "operator.token").write_text(_TOKEN)
    return DataDirectory(tmp_path)


def test_client_sends_token_and_leaves_out_what_is_none(data_dir: DataDirectory) -> None:
    def answer(path: str, query: Any, headers: Any) -> tuple[int, Any]:
        return 200, [path, query, headers["Authorization"]]

    with _platform(answer) as url, connected(data_dir, url) as client:
        found = client.get(RUNS, limit=3, before=None, symbol=["A", "B"])

    assert found == [f"{API}/runs", {"limit": ["3"], "symbol": ["A", "B"]}, f"Bearer {_TOKEN}"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_client_sends_a_body_by_the_method_of_the_route(data_dir: DataDirectory, method: str) -> None:
    route: Route[Any] = Route(f"{method} /things/{{name}}", object)

    with _platform(None) as url, connected(data_dir, url) as client:
        assert client.send(route.at(name="a b"), {"weight": 1.5}) == [method, f"{API}/things/a%20b", {"weight": 1.5}]


def test_client_finds_platform_by_its_data_directory(data_dir: DataDirectory) -> None:
    with _platform(lambda *_: (200, "{}")) as url:
        data_dir.write_endpoint(url)
        with connected(data_dir, None) as client:
            assert client.get(RUNS) == {}


def test_client_of_environment_of_proxies_reaches_this_machine(
    data_dir: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with _platform(lambda *_: (200, "{}")) as url, connected(data_dir, url) as client:
        assert client.get(RUNS) == {}


def test_certificates_are_read_for_a_platform_with_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr("ssl.SSLContext.load_verify_locations", lambda _, file, *__: read.append(file))

    counts = []
    for url in ("http://board.example", "https://board.example"):
        connections_to(url).close()
        counts.append(len(read))

    assert counts[0] == 0 < counts[1]


def test_client_of_a_platform_with_tls_asks_nobody_whose_certificate_nobody_trusts(
    data_dir: DataDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = authority(tmp_path / "authority.pem")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    issuer.issue("platform", key_file=key, certificate_file=certificate, hosts=("localhost",))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    with _platform(lambda *_: (200, "{}"), tls) as url:
        with connected(data_dir, url) as client, pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            client.get(RUNS)
        monkeypatch.setenv("SSL_CERT_FILE", str(issuer.file))
        monkeypatch.setattr(client_module, "is_loopback", lambda _: False)
        with connected(data_dir, url) as client:
            assert client.get(RUNS) == {}


def test_client_of_refusing_platform_names_every_field(data_dir: DataDirectory) -> None:
    problem = {"detail": "not valid", "errors": [{"field": "Symbol", "reason": "is required", "line": 3}]}
    with (
        _platform(lambda *_: (422, problem)) as url,
        connected(data_dir, url) as client,
        pytest.raises(Refused) as refused,
    ):
        client.get(RUNS)

    assert refused.value.status == 422
    assert refused.value.errors == (FieldError("Symbol", "is required", 3),)
    assert str(refused.value.errors[0]) == "line 3, Symbol: is required"


@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", "[1]", ""])
def test_client_of_something_else_says_the_status(data_dir: DataDirectory, body: str) -> None:
    with (
        _platform(lambda *_: (502, body)) as url,
        connected(data_dir, url) as client,
        pytest.raises(Refused, match="502"),
    ):
        client.get(RUNS)


def test_client_of_nothing_is_told_how_to_start_it() -> None:
    client = ApiClient.with_token("http://127.0.0.1:1", _TOKEN)
    with pytest.raises(Unreachable, match="sigmasight up"):
        client.get(RUNS)
    client.close()


def test_connected_without_address_or_token_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGMASIGHT_TOKEN", raising=False)
    with pytest.raises(Misused, match="no platform runs on"), connected(DataDirectory(tmp_path), None):
        pass
    with pytest.raises(Misused, match="SIGMASIGHT_TOKEN"), connected(DataDirectory(tmp_path), "http://127.0.0.1:1"):
        pass


def test_pages_reads_to_the_end(data_dir: DataDirectory) -> None:
    def answer(_: str, query: Any, __: Any) -> tuple[int, Any]:
        first, last = int(query.get("cursor", ["0"])[0]) + 1, 7
        items = list(range(first, min(first + int(query["limit"][0]), last + 1)))
        return 200, {"items": items, "next": None if last in items else str(items[-1])}

    with _platform(answer) as url, connected(data_dir, url) as client:
        read = list(pages(client, Route("GET /things", Page[int]), limit=3))

    assert read == [[1, 2, 3], [4, 5, 6], [7]]


@pytest.mark.parametrize(
    "command",
    [["run", "--as-of", "2022-12-28"], ["status"], ["status", "--json"], ["show", "symbol", "AAPL"]],
)
def test_command_without_platform_is_one_line_and_exit_2(data_dir: DataDirectory, command: list[str]) -> None:
    options = ["--url", "http://127.0.0.1:1", "--data-dir", str(data_dir.path)]

    result = invoke(*command, *options)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("sigmasight: nothing answers at http://127.0.0.1:1 (")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (["status", "--url", "foo"], _TOKEN, "must begin with http://"),
        (["status", "--url", "http://127.0.0.1:1"], "geheimnis-ß", "ASCII"),
        (["status", "--url", "http://127.0.0.1:1", "--watch", "--json"], _TOKEN, "exclude each other"),
        (["run", "--as-of", "20221228"], _TOKEN, "must be YYYY-MM-DD"),
    ],
)
def test_command_that_makes_no_sense_says_what_and_exits_2(
    arguments: list[str], token: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMASIGHT_TOKEN", token)

    result = invoke(*arguments, environment={"TERMINAL_WIDTH": "200"})

    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_status_of_a_platform_that_refuses_is_no_state(data_dir: DataDirectory) -> None:
    with _platform(lambda *_: (401, {"detail": "who are you"})) as url:
        result = sigmasight(data_dir.path, "status", "--url", url)

    assert (result.exit_code, result.stderr) == (2, "sigmasight: refused (401): who are you\n")


def test_run_of_unknown_portfolio_begins_nothing_and_exits_2(data_dir: DataDirectory) -> None:
    with _platform(lambda *_: (200, {"items": [], "next": None})) as url:
        result = sigmasight(data_dir.path, "run", "--portfolio", "nobody", "--url", url)

    assert (result.exit_code, result.stderr) == (2, "sigmasight: no portfolio has the name or id 'nobody'\n")


def test_command_that_is_refused_lists_the_fields_and_exits_2(data_dir: DataDirectory) -> None:
    problem = {"detail": "the request is not valid", "errors": [{"field": "as_of", "reason": "must be a date"}]}
    with _platform(lambda *_: (422, problem)) as url:
        result = sigmasight(data_dir.path, "show", "symbol", "AAPL", "--url", url)

    assert result.exit_code == 2
    assert result.stderr == ("sigmasight: refused (422): the request is not valid\n  --as-of: must be a date\n")


def test_refusal_of_one_field_is_said_once_and_by_the_name_that_was_typed(data_dir: DataDirectory) -> None:
    errors = [{"field": "last", "reason": "must be a day, was x"}]
    with _platform(lambda *_: (422, {"detail": "last must be a day, was x", "errors": errors})) as url:
        said = [
            sigmasight(data_dir.path, *asked, "--url", url).stderr
            for asked in (["coverage", "--to", "2022-12-28"], ["show", "portfolio", "ours", "--as-of", "2022-12-28"])
        ]

    assert said == [
        "sigmasight: refused (422): --to: must be a day, was x\n",
        "sigmasight: refused (422): --as-of: must be a day, was x\n",
    ]


def test_client_follows_a_stream_behind_an_event(data_dir: DataDirectory) -> None:
    def answer(path: str, query: Any, headers: Any) -> tuple[int, Any]:
        told = json.dumps([path, headers["Last-Event-ID"]])
        return 200, f': ping\n\nevent: part\nid: 8\ndata: {told}\n\n: ping\n\ndata: "last"\n\n'

    with _platform(answer) as url, connected(data_dir, url) as client:
        assert list(client.follow(RUNS, after=7)) == [[f"{API}/runs", "7"], "last"]


def test_client_of_a_stream_that_is_refused_or_not_there_says_so(data_dir: DataDirectory) -> None:
    with (
        _platform(lambda *_: (404, {"detail": "no run"})) as url,
        connected(data_dir, url) as client,
        pytest.raises(Refused, match="no run"),
    ):
        list(client.follow(RUNS, after=-1))
    with connected(data_dir, url) as client, pytest.raises(Unreachable):
        list(client.follow(RUNS, after=-1))
