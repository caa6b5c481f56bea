"""Sending again what was announced on a topic: to one service, or through the chain as runs of their own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from services.ops.composition import build_services
from services.ops.errors import Misused
from services.ops.hosting.kept_log import KeptLog, kept_log
from services.ops.terminal import say
from shared.bus.dead_letters import REPLAY_HEADER, SERVICE_HEADER
from shared.clock import SystemClock
from shared.contracts.catalogue import ASKED, EVENTS, PRODUCERS
from shared.contracts.run import Run, RunKind
from shared.db.outbox import Kept, OutboxRow, append_to_outbox, list_sent
from shared.db.unit_of_work import one_transaction
from shared.settings import CommonSettings, service_database_url

# So few that what is live notices nothing of them.
PER_SECOND: Final = 20
_LOOK_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Replay:
    """What is to be sent again.

    Attributes
    ----------
    topic : str
        On which it was announced.
    since, until : datetime
        Between which instants, the second one excluded.
    service : str or None
        To which service; None: through the chain.
    """

    topic: str
    since: datetime
    until: datetime
    service: str | None

    @property
    def replay_id(self) -> UUID:
        """The same replay has the same id: who has taken in a message of it skips it the next time."""
        said = "|".join((self.topic, self.since.isoformat(), self.until.isoformat(), self.service or ""))
        return uuid5(NAMESPACE_URL, f"urn:sigmasight:replay:{said}")

    def again(self, row: OutboxRow) -> OutboxRow:
        """Return a message as it is sent again."""
        addressed = {REPLAY_HEADER: str(self.replay_id), SERVICE_HEADER: self.service or ""}
        return replace(row, headers={**row.headers, **addressed})

    def run_again(self, run: Run) -> Run:
        """Return the run that does again what one did."""
        changes = {"run_id": uuid5(self.replay_id, str(run.run_id)), "kind": RunKind.REPLAY, "after": None}
        return run.model_copy(update={**changes, "requested_by": f"replay of {self.topic}"})


async def replay_to_service(common: CommonSettings, wanted: Replay, *, dry_run: bool) -> None:
    """Send the messages again to one service, a few a second; those that were sent before are not.

    Raises
    ------
    Misused
        If the service does not listen to the topic, or the topic asks for runs.
    """
    listening = _listening(common, wanted)
    # On a topic writes who announces on it, and nobody else.
    producer = PRODUCERS[EVENTS[wanted.topic]]
    url = service_database_url(common, producer)
    async with one_transaction(url, service=producer) as connection:
        sent = await list_sent(connection, wanted.topic, wanted.replay_id)
    _say_what_is_gone(common, wanted)
    before, count = len(sent), 0
    async with kept_log(common) as log:
        async for batch in _batches(log, wanted, but=sent):
            count += len(batch)
            if not dry_run:
                async with one_transaction(url, service=producer) as connection:
                    await append_to_outbox(connection, [wanted.again(kept.row) for kept in batch])
                await asyncio.sleep(1.0)
    said = "would be sent" if dry_run else "are sent"
    say(f"{count} messages of {wanted.topic} {said} to {', '.join(listening)}; {before} were sent before")


async def replay_through_chain(common: CommonSettings, wanted: Replay, *, dry_run: bool) -> None:
    """Run again what the runs of the messages did, one after the other, each when nothing live is under way."""
    _say_what_is_gone(common, wanted)
    runs: dict[object, Run] = {}
    async with kept_log(common) as log:
        async for opened in _runs(log, wanted):
            run = wanted.run_again(opened)
            # What several have done is done again once.
            runs.setdefault((run.first_session, run.last_session, run.symbols, run.portfolio_ids), run)
    for run in runs.values():
        about = f"sessions {run.first_session} to {run.last_session}, run {run.run_id}"
        if dry_run:
            say(f"would be run again: {about}")
            continue
        # Loaded when it is needed: a dry run needs no service.
        from services.scheduler.main import replay  # noqa: PLC0415

        while not await replay(common, run):  # noqa: ASYNC110 - it ends in another process
            await asyncio.sleep(_LOOK_AGAIN_S)
        say(f"has been run again: {about}")
    if not runs:
        say(f"nothing of {wanted.topic} is kept of that time")


def _say_what_is_gone(common: CommonSettings, wanted: Replay) -> None:
    first = SystemClock().now() - timedelta(days=common.log_kept_days)
    if wanted.since < first:
        say(f"of what was announced before {first:%Y-%m-%d} nothing need be kept any more (LOG_KEPT_DAYS)")


def _listening(common: CommonSettings, wanted: Replay) -> list[str]:
    if wanted.topic in ASKED:
        raise Misused(f"{wanted.topic} asks for runs: they are run again as runs of their own, without --service")
    (service,) = build_services([str(wanted.service)], common)
    listening = [each.name for each in service.consume.consumers if wanted.topic in each.event_types]
    if not listening:
        raise Misused(f"{wanted.service} does not listen to {wanted.topic}")
    return listening


async def _runs(log: KeptLog, wanted: Replay) -> AsyncIterator[Run]:
    seen: set[UUID] = set()
    async for kept in _read(log, wanted):
        run = EVENTS[wanted.topic].model_validate_json(kept.row.value).run
        if run.run_id not in seen:
            seen.add(run.run_id)
            yield await log.opened(run) if run.unsaid else run


async def _batches(log: KeptLog, wanted: Replay, *, but: set[str]) -> AsyncIterator[Sequence[Kept]]:
    batch: list[Kept] = []
    async for kept in _read(log, wanted):
        if kept.row.headers["ce_id"] not in but:
            batch.append(kept)
        if len(batch) == PER_SECOND:
            yield batch
            batch = []
    if batch:
        yield batch


async def _read(log: KeptLog, wanted: Replay) -> AsyncIterator[Kept]:
    async for kept in log.read((wanted.topic,), since=wanted.since, until=wanted.until):
        # What a replay has put there is no announcement.
        if REPLAY_HEADER not in kept.row.headers:
            yield kept
