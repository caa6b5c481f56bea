"""A value in every secret setting, and a platform that is busy: the values are nowhere in what it says or keeps."""

import asyncio
import base64
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from pytest_httpserver import HTTPServer
from typer.testing import Result
from werkzeug import Request, Response

from services.ops.data_directory import DataDirectory
from shared.contracts.run import ONLY_PART
from shared.contracts.scheduler import BatchTriggered
from shared.paths import API
from tests.support.command_line import open_to_others, sigmasight, up
from tests.support.eventually import eventually
from tests.support.probe import Sender, with_headers
from tests.support.runs import make_run
from tests.support.stack import wanted_broker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(wanted_broker() == "testcontainers", reason="`up` runs its own broker"),
]

# By setting; each with what no other one has.
SECRETS = {
    name: f"canary-of-{name.lower().replace('_', '-')}-of-many-characters-4d1f"
    for name in (
        *("VIEWER_TOKEN", "OPERATOR_TOKEN", "SESSION_KEY", "OIDC_CLIENT_SECRET", "SERVICE_DATABASE_PASSWORD"),
        *("KAFKA_PASSWORD", "KAFKA_KEY_PASSWORD", "RISK_KAFKA_PASSWORD", "MIGRATE_KAFKA_PASSWORD"),
        *("RISK_DATABASE_PASSWORD", "PORTFOLIO_DATABASE_PASSWORD"),
        *("FMP_API_KEY", "FRED_API_KEY", "POLYGON_API_KEY", "TIINGO_API_KEY"),
    )
}
WEBHOOK, SIGNS = "canary-in-the-path-of-the-webhook-4d1f", b"canary-of-what-signs-it-4d1f"
PASSWORD, TYPED_WRONG = "canary of ada's password 4d1f", "canary of a password that is wrong 4d1f"
CSV = "Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,100,140,2022-11-01\n"
NIGHT = "2022-12-21"
GARBAGE = b"this is no event"


class Outside:
    """Who is sent webhooks and spans."""

    def __init__(self, server: HTTPServer) -> None:
        self.server, self.bodies = server, list[bytes]()
        server.expect_request("/v1/traces").respond_with_handler(self._take)
        server.expect_request(f"/{WEBHOOK}").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        self.bodies.append(request.get_data())
        return Response(status=200)


def _canaries() -> list[bytes]:
    texts = [*SECRETS.values(), WEBHOOK, PASSWORD, TYPED_WRONG]
    return [SIGNS, base64.b64encode(SIGNS), *(text.encode() for text in texts)]


def _found_in(text: bytes) -> list[bytes]:
    return [canary for canary in _canaries() if canary in text]


def _kept(data_dir: Path) -> dict[str, bytes]:
    # Tables, events and dead letters as the broker has them, exports, reports, logs of the servers.
    files = (path for path in data_dir.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in files}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    directory = open_to_others(tmp_path)
    done = sigmasight(directory, "users", "add", "ada", "--role", "admin", stdin=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.stderr
    return directory


async def _acts(url: str) -> list[str]:
    """Sign in, be refused, change something: return what was answered."""
    said, home = [], {"Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(base_url=url, headers=home, trust_env=False) as browser:
        for name, password in (("ada", TYPED_WRONG), (PASSWORD, "x"), ("ada", PASSWORD)):
            signed = await browser.post("/sign-in", data={"name": name, "password": password})
            said.append(signed.text)
        assert signed.status_code == 303
        said += [
            (await browser.get(path)).text
            for path in ("/", "/pages/runs", "/pages/system", "/pages/audit", f"{API}/runs")
        ]
        for token in (*SECRETS.values(), TYPED_WRONG):
            headers = {"Authorization": f"Bearer {token}"}
            for method, path in (("GET", "/runs"), ("POST", "/runs"), ("GET", "/portfolios/x")):
                said.append((await browser.request(method, f"{API}{path}", headers=headers, json={"kind": "x"})).text)
        operator = {"Authorization": f"Bearer {SECRETS['OPERATOR_TOKEN']}"}
        said.append((await browser.get("/metrics", headers=operator)).text)
        said.append((await browser.get("/health/ready")).text)
    return said


async def _command(data_dir: Path, *arguments: str | Path) -> Result:
    # Nobody waits for it: webhooks and spans are taken meanwhile.
    return await asyncio.to_thread(sigmasight, data_dir, *arguments)


async def _strike(data_dir: Path) -> None:
    """Set a message aside: one that nobody can read."""
    servers = DataDirectory(data_dir).find_servers()
    assert servers is not None
    producer = AIOKafkaProducer(bootstrap_servers=servers["bootstrap_servers"])
    await producer.start()
    headers = with_headers(BatchTriggered(run=make_run(), part=ONLY_PART))
    await Sender(producer).raw("portfolio.due", GARBAGE, headers=headers)
    await producer.stop()


async def test_secrets_are_nowhere_in_what_a_platform_says_and_keeps(
    data_dir: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside(httpserver)
    environment = {
        **SECRETS,
        "SCHEDULER_WEBHOOK_URL": httpserver.url_for(f"/{WEBHOOK}"),
        "SCHEDULER_WEBHOOK_SECRET": f"whsec_{base64.b64encode(SIGNS).decode()}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": httpserver.url_for(""),
        "FACTOR_SET": "sample",
    }
    monkeypatch.setenv("SIGMASIGHT_TOKEN", SECRETS["OPERATOR_TOKEN"])
    with up(data_dir, "--providers", "sample", "--workers", "1", environment=environment) as process:
        url = DataDirectory(data_dir).find_url()
        assert url is not None
        book = data_dir / "book.csv"
        book.write_text(CSV)
        days = ("--opened-on", "2022-12-01", "--as-of", NIGHT)
        shown = [await _command(data_dir, "portfolios", "import", book, "--equity", "100000", *days)]
        said = await _acts(url)
        await _strike(data_dir)

        async def set_aside() -> bool:
            return "portfolio.due" in (await _command(data_dir, "dead-letters", "list", "--json")).stdout

        assert await eventually(set_aside)
        shown += [
            await _command(data_dir, *asked)
            for asked in (
                *(("run", "--as-of", NIGHT), ("status",), ("dead-letters", "list")),
                ("report", "book", "--as-of", NIGHT, "--out", data_dir / "report.html"),
                ("export", "risk", "--from", NIGHT, "--to", NIGHT, "--out", data_dir / "risk.csv"),
            )
        ]
        process.terminate()
        logged, _ = process.communicate()

    assert [done.exit_code for done in shown] == [0] * len(shown), [done.stderr for done in shown if done.exit_code]
    kept = _kept(data_dir)
    everything = {
        "answers": "".join(said).encode(),
        "commands": "".join(done.output for done in shown).encode(),
        "log": logged.encode(),
        "spans and webhooks": b"".join(outside.bodies),
        **kept,
    }
    # Each of them has something in it, the files what happened here.
    assert len(outside.bodies) > 2
    assert "sign-in" in logged
    assert any(GARBAGE in text for text in kept.values())
    assert {where: found for where, text in everything.items() if (found := _found_in(text))} == {}
