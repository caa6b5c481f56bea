"""`make test-upgrade FROM=COMMIT`: the version of a commit is upgraded to this one while nights go on.

The old version stores a month of nights; tables are migrated (`pre`); both versions share a night; they are migrated
(`post`); the new version goes on alone, and computes all of it again. What is stored then is compared with a platform
of the new version that had all these nights to itself.
"""

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import httpx

from services.ops.terminal import say
from shared.calendar import sessions_between
from shared.telemetry import configure_logging
from tests.support.databases import SERVICE_PASSWORD
from tests.support.platform import Api, Json
from tests.support.stack import Servers, run_postgres, with_broker
from tests.system.month import EQUITY, LAST, OPENED, SAMPLES
from tests.upgrade.comparison import Compared, Contents, compared, contents_of, newest, report, rows_of
from tests.upgrade.version import ROOT, Running, Version, commit_of, prepared

_SESSIONS: Final = [str(day) for day in sessions_between(date.fromisoformat(OPENED), date.fromisoformat(LAST))]
# Computed by the old version, by both, and by the new one alone.
OLD: Final = _SESSIONS[:-3]
SHARED: Final = _SESSIONS[-3:-1]
NEW: Final = _SESSIONS[-1:]
_SESSIONS_OF_A_RUN: Final = 5
_LOOKED_EVERY_S: Final = 0.2
# What a client is told of a portfolio.
_ASKED: Final = (
    *(
        "/portfolios/{id}/performance",
        "/portfolios/{id}/realised",
        "/portfolios/{id}/values",
        "/portfolios/{id}/changes",
    ),
    *("/risk/portfolios/{id}", "/risk/portfolios/{id}/stress", "/risk/portfolios/{id}/correlations"),
    *("/risk/portfolios/{id}/contributions", "/risk/portfolios/{id}/changes"),
)
# Differs from one database to another.
_OF_A_DATABASE: Final = frozenset({"known_at", "run_id", "position_id", "computed_at", "revision", "factor_set_id"})


def environment_of(servers: Servers) -> dict[str, str]:
    """Return the settings of a process, as a container is given them."""
    return {
        "DATABASE_URL": servers.database_url,
        "SERVICE_DATABASE_PASSWORD": SERVICE_PASSWORD.get_secret_value(),
        "BOOTSTRAP_SERVERS": servers.bootstrap_servers,
        "BROKER": servers.broker_kind.value,
        "TOPIC_PARTITIONS": "4",
        "VIEWER_TOKEN": "viewer-token",
        "OPERATOR_TOKEN": "operator-token",
        "MARKET_DATA_PROVIDERS": "sample",
        "FACTOR_SET": "sample",
        # Runs are those that are asked for here.
        "BATCH_PROCESSING_ENABLED": "false",
        "MAX_BACKFILL_DATES": "0",
        "OPENBLAS_NUM_THREADS": "1",
    }


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Run a database server and a broker that nobody else has."""
    async with run_postgres() as database, with_broker(database) as both:
        yield both


async def enter_books(api: Api) -> list[str]:
    """Enter the sample portfolios as of their first session and return their ids."""
    entered = []
    for name, equity in EQUITY.items():
        csv = (SAMPLES / f"{name}.csv").read_text()
        terms = {"opening_equity": equity, "opened_on": OPENED, "as_of": OPENED}
        entered.append(await api.import_portfolio(name, csv, **terms))
    for each in entered:
        await _completed(api, each["run_id"])
    return [each["portfolio_id"] for each in entered]


async def nights(api: Api, sessions: Sequence[str]) -> None:
    """Compute nights, some in a run, one run after the other."""
    for first in range(0, len(sessions), _SESSIONS_OF_A_RUN):
        of_run = sessions[first : first + _SESSIONS_OF_A_RUN]
        days = {"first_session": of_run[0], "last_session": of_run[-1], "requested_by": "upgrade"}
        opened = await api.post("/runs", days)
        await _completed(api, opened["run"]["run_id"])


async def _completed(api: Api, run_id: str) -> None:
    # However long it takes, and the ledger may not know of it yet.
    while (answer := await api.client.get(f"/runs/{run_id}")).status_code == 404 or _is_active(answer):  # noqa: ASYNC110
        await asyncio.sleep(_LOOKED_EVERY_S)
    run = answer.json()
    assert run["status"] == "completed", run
    assert not run.get("failures"), run


def _is_active(answer: httpx.Response) -> bool:
    return bool(answer.raise_for_status().json()["status"] == "active")


async def answers_of(api: Api, portfolio_ids: Sequence[str]) -> dict[str, Json]:
    """Return what is told of every portfolio, without what differs from one database to another."""
    return {
        path: _bare(await api.get(path))
        for portfolio_id in portfolio_ids
        for path in (asked.format(id=portfolio_id) for asked in _ASKED)
    }


def _bare(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _bare(value) for name, value in said.items() if name not in _OF_A_DATABASE}
    return [_bare(each) for each in said] if isinstance(said, list) else said


async def undisturbed(version: Version, home: Path) -> tuple[dict[str, Counter[str]], dict[str, Json]]:
    """Return the rows and the answers of a platform that had all nights to itself."""
    async with servers() as there:
        running = Running(version, home, environment_of(there))
        try:
            await running.migrate("pre")
            await running.migrate("post")
            await running.start()
            ids = await enter_books(running.api())
            await nights(running.api(), _SESSIONS[1:])
            answers = await answers_of(running.api(), ids)
            await running.stop()
        finally:
            running.kill()
        return await rows_of(there.database_url), answers


class Upgrade:
    """The upgrade of a platform from one version to another, step by step."""

    def __init__(self, old: Version, new: Version, there: Servers, home: Path) -> None:
        self.url = there.database_url
        self.old, self.new = (Running(each, home, environment_of(there)) for each in (old, new))
        self.ids: list[str] = []

    async def stored_by_the_old_one(self) -> None:
        """Enter the books and compute a month of nights."""
        await self.old.migrate("pre")
        await self.old.migrate("post")
        await self.old.start()
        self.ids = await enter_books(self.old.api())
        await nights(self.old.api(), OLD[1:])

    async def migrated_before(self) -> int:
        """Migrate under the old version, which keeps working; return how many tables hold what they held."""
        while (before := await self._settled()) is None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOKED_EVERY_S)
        await self.new.migrate("pre")
        after = await contents_of(self.url, before)
        changed = sorted(".".join(name) for name, contents in before.items() if contents != after[name])
        assert not changed, f"`pre` has changed what the old version wrote: {', '.join(changed)}"
        return len(before)

    async def _settled(self) -> dict[tuple[str, str], Contents] | None:
        # The last messages of a run may come when it has ended.
        found = await contents_of(self.url)
        return found if found == await contents_of(self.url) else None

    async def shared_nights(self) -> dict[str, int]:
        """Compute nights by both versions; return how many events each of them has dealt with."""
        await self.new.start()
        before = {each.version.name: await each.events() for each in (self.old, self.new)}
        for asked, session in zip((self.old, self.new), SHARED, strict=True):
            await nights(asked.api(), [session])
        dealt = {each.version.name: await each.events() - before[each.version.name] for each in (self.old, self.new)}
        assert all(dealt.values()), f"both versions must have had a share of the work: {dealt}"
        await self.old.stop()
        return dealt

    async def gone_on(self) -> None:
        """Migrate to the end and compute a night by the new version alone."""
        await self.new.migrate("post")
        await nights(self.new.api(), NEW)

    async def computed_again(self) -> None:
        """Compute every session by the new version."""
        await nights(self.new.api(), _SESSIONS)


async def upgraded(old: Version, new: Version, home: Path) -> bool:
    """Upgrade a platform, say what came of it, and return whether all is as it should be."""
    began = time.perf_counter()

    def told(what: str) -> None:
        say(f"{time.perf_counter() - began:5.0f} s  {what}")

    older = [name for name, number in old.code_versions().items() if number != new.code_versions()[name]]
    told(f"{old.name} {old.code_versions()} -> {new.name} {new.code_versions()}")
    rows, answers = await undisturbed(new, home)
    told(f"{new.name} alone: {len(_SESSIONS)} nights, {sum(each.total() for each in rows.values())} rows")
    async with servers() as there:
        upgrade = Upgrade(old, new, there, home)
        try:
            await upgrade.stored_by_the_old_one()
            told(f"{old.name} has stored {len(OLD)} nights of {len(upgrade.ids)} portfolios")
            told(f"pre: {await upgrade.migrated_before()} tables hold what they held")
            told(f"{len(SHARED)} nights by both, events by version: {await upgrade.shared_nights()}")
            await upgrade.gone_on()
            told(f"post, and {len(NEW)} night by {new.name} alone")
            first = compared(await rows_of(there.database_url), rows, older=older, sessions=[*OLD, *SHARED])
            await upgrade.computed_again()
            told("all nights again by it")
            last = compared(newest(await rows_of(there.database_url)), newest(rows), older=(), sessions=())
            differing = [
                path
                for path, said in (await answers_of(upgrade.new.api(), upgrade.ids)).items()
                if said != answers[path]
            ]
            await upgrade.new.stop()
        finally:
            upgrade.old.kill()
            upgrade.new.kill()
    say("after the upgrade, beside a platform that was new from the first day:")
    _say(first)
    say("after all nights were computed again:")
    _say(last)
    say(f"answers about {len(upgrade.ids)} portfolios: {len(answers) - len(differing)} of {len(answers)} equal")
    for path in differing:
        say(f"  another answer: {path}")
    return not differing and not any(each.others for each in (*first, *last))


def _say(tables: Sequence[Compared]) -> None:
    for line in report(tables):
        say(line)


def main(revision: str) -> int:
    """Upgrade from a revision to what stands in the tree now."""
    configure_logging(level="ERROR")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    commit = commit_of(ROOT, revision)
    old = prepared(commit, ROOT / "build" / "upgrade")
    new = Version("this version", ROOT)
    with tempfile.TemporaryDirectory(prefix="sigmasight-upgrade-") as home:
        try:
            return 0 if asyncio.run(upgraded(old, new, Path(home))) else 1
        except AssertionError as failure:
            say(str(failure))
            return 1


if __name__ == "__main__":
    os.environ.setdefault("SIGMASIGHT_TEST_BROKER", "kafka")
    sys.exit(main(sys.argv[1]))
