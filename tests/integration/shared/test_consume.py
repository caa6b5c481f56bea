"""A message's way through `Consume` on a real broker: once, retried, set aside, and what is behind it goes on."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.contextvars import bind_contextvars

from shared.bus.breaker import BreakerPolicy
from shared.bus.broker import CAPABILITIES, build_broker, start_broker
from shared.bus.cancelled_runs import unless_cancelled
from shared.bus.consume import Consume
from shared.bus.consumer import RetryPolicy
from shared.bus.note_cancelled_run import note_cancelled_run
from shared.bus.relay import OutboxRelay
from shared.contracts.catalogue import dead_letter_topic
from shared.contracts.event import Event
from shared.contracts.run import ONLY_PART, Part, Run
from shared.contracts.scheduler import BatchCompleted, RunStatus
from shared.db.engine import plain_url
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.errors import PoisonEvent, TransientError
from shared.metrics.service_metrics import ServiceMetrics
from tests.support.bus_log import BusLog
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import (
    SERVICE,
    Behaviour,
    ProbeDue,
    ProbeFlooded,
    ProbeFollowed,
    ProbeHappened,
    Script,
    Sender,
    Topic,
    body_of,
    count,
    follow_script,
    happened,
    headers_of,
    inbox_count,
    with_headers,
)
from tests.support.runs import make_run
from tests.support.stack import Servers

POLICY = RetryPolicy(attempts=2, first_pause_s=0.01, longest_pause_s=0.05, breaker=BreakerPolicy(100, 100))
BREAKER = BreakerPolicy(failures=2, among=4, first_break_s=0.01, longest_break_s=0.02, tries=3)
LOW_LIMIT = RetryPolicy(attempts=1, first_pause_s=0.01, longest_pause_s=0.05, breaker=BREAKER)
CONSUMER = {"service": "probe", "consumer": "probe.follow_script", "topic": "probe.happened"}

log = structlog.get_logger("test")


@dataclass(slots=True)
class Probe:
    """The running consumer and what a test sees of it."""

    script: Script
    flooded: Script
    sender: Sender
    followed: Topic
    dead_letters: Topic
    flooded_dead_letters: Topic
    flooded_consume: Consume
    engine: AsyncEngine
    unit_of_work: UnitOfWorkFactory

    async def pass_by(self) -> None:
        """Wait until everything sent so far has been dealt with: the partition moves on."""
        sentinel = happened()
        await self.sender.event(sentinel)

        async def passed() -> bool:
            return bool(self.script.calls_of(sentinel.run))

        await eventually(passed)

    async def dead_letter_at(self, offset: int) -> dict[str, str]:
        """Return the headers of the dead letter of the message at that offset."""

        async def arrived() -> list[dict[str, str]]:
            await self.dead_letters.read()
            found = [headers_of(record) for record in self.dead_letters.records]
            return [headers for headers in found if headers["dlq-offset"] == str(offset)]

        letters = await eventually(arrived)
        assert len(letters) == 1
        return letters[0]


@pytest.fixture(scope="module")
async def consuming(
    servers: Servers,
    probe: ServiceDatabase,
    engine: AsyncEngine,
    unit_of_work: UnitOfWorkFactory,
    probe_topics: None,
) -> AsyncIterator[Probe]:
    script, flooded = Script(), Script()
    kind = servers.broker_kind
    broker = build_broker(servers.connection, service=SERVICE)
    for policy, event_type, handler_script, name in (
        (POLICY, ProbeHappened, script, "probe"),
        (POLICY, ProbeDue, script, "probe_due"),
        (LOW_LIMIT, ProbeFlooded, flooded, "probe_low_limit"),
    ):
        metrics = ServiceMetrics(name)
        consume = Consume(broker, unit_of_work, metrics=metrics, capabilities=CAPABILITIES[kind], policy=policy)
        consume(event_type, follow_script, on_failure=handler_script.report, script=handler_script)

    relay = OutboxRelay(plain_url(probe.url(SERVICE).get_secret_value()), servers.connection, kind, service=SERVICE)
    relaying = asyncio.create_task(relay.run())
    producer = AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers)
    await producer.start()
    topics = [
        Topic(name, servers.bootstrap_servers)
        for name in (ProbeFollowed.topic, dead_letter_topic(ProbeHappened.topic), dead_letter_topic(ProbeFlooded.topic))
    ]
    await start_broker(broker)

    yield Probe(script, flooded, Sender(producer), topics[0], topics[1], topics[2], consume, engine, unit_of_work)

    await broker.stop()
    await producer.stop()
    for topic in topics:
        await topic.close()
    relaying.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await relaying


async def test_event_delivered_three_times_calls_the_handler_once(consuming: Probe) -> None:
    event = happened()

    await consuming.sender.event(event, repeat=3)
    await consuming.pass_by()

    assert len(consuming.script.calls_of(event.run)) == 1
    assert await count(consuming.engine, "facts", event.run) == 1
    assert await inbox_count(consuming.engine, event) == 1


async def test_event_replayed_is_processed_once_per_replay(consuming: Probe) -> None:
    event = happened()
    value = event.model_dump_json().encode()

    for replay in ("", "replay-1", "replay-1", "replay-2"):
        await consuming.sender.raw(event.topic, value, headers=with_headers(event, **{"replay-id": replay}))
    await consuming.pass_by()

    assert len(consuming.script.calls_of(event.run)) == 3


async def test_event_processed_is_followed_by_what_the_handler_announced(consuming: Probe) -> None:
    event = happened()

    await consuming.sender.event(event)

    async def followed() -> list[Any]:
        return await consuming.followed.of(event.run)

    records = await eventually(followed)
    headers = headers_of(records[0])
    expected = ProbeFollowed(run=event.run, part=event.part)
    assert ProbeFollowed.model_validate_json(records[0].value or b"") == expected
    assert headers["ce_id"] == str(expected.event_id)
    assert headers["ce_type"] == "probe.followed.v1"
    assert headers["traceparent"].split("-")[1] == event.run.run_id.hex
    assert headers["ce_time"].endswith("+00:00")


async def end(consuming: Probe, run: Run, *, cancelled: bool) -> None:
    ended = BatchCompleted(run=run, part=ONLY_PART, status=RunStatus.FAILED, cancelled=cancelled, stages=())
    for _ in range(2):
        async with consuming.unit_of_work() as uow:
            await note_cancelled_run(ended, uow)


async def test_work_of_a_cancelled_run_is_dropped_and_what_was_done_of_it_is_not(
    consuming: Probe, bus_log: BusLog
) -> None:
    cancelled, failed = make_run(), make_run()
    await end(consuming, cancelled, cancelled=True)
    await end(consuming, failed, cancelled=False)

    for run in (cancelled, failed):
        await consuming.sender.event(ProbeDue(run=run, part=ONLY_PART))

    async def worked() -> bool:
        return bool(consuming.script.calls_of(failed))

    await eventually(worked)
    assert consuming.script.calls_of(cancelled) == []
    assert bus_log.count("event consumed", outcome="cancelled", topic="probe.due") == 1
    fact = happened(cancelled)
    await consuming.sender.event(fact)
    await consuming.pass_by()
    assert consuming.script.calls_of(cancelled) == [fact]


async def test_work_in_hand_is_broken_off_between_two_steps_once_its_run_is_cancelled(
    consuming: Probe, bus_log: BusLog
) -> None:
    event, taken = ProbeDue(run=make_run(), part=ONLY_PART), list[int]()

    async def work(event: Event, uow: UnitOfWork) -> None:
        async for step in unless_cancelled(range(4), uow.connection, event.run.run_id):
            taken.append(step)
            if step == 1:
                await end(consuming, event.run, cancelled=True)

    consuming.script.behaviours[event.run.run_id] = work
    for _ in range(2):
        await consuming.sender.event(event)

    async def settled() -> bool:
        return bool(bus_log.count("event consumed", outcome="duplicate", run=str(event.run.run_id)))

    await eventually(settled)
    assert taken == [0, 1]
    assert bus_log.count("event consumed", outcome="cancelled", run=str(event.run.run_id)) == 1
    assert await count(consuming.engine, "facts", event.run) == 0
    assert consuming.script.reports_of(event.run) == []


async def test_handler_that_raises_leaves_nothing_but_the_report(consuming: Probe, bus_log: BusLog) -> None:
    bus_log.expect("handler failed")
    event = happened()

    async def fail(*_: object) -> None:
        raise KeyError("a bug")

    consuming.script.behaviours[event.run.run_id] = fail
    await consuming.sender.event(event)
    await consuming.pass_by()

    assert await count(consuming.engine, "facts", event.run) == 0
    records = await eventually(lambda: consuming.followed.of(event.run))
    announced = [ProbeFollowed.model_validate_json(record.value or b"") for record in records]
    assert [len(followed.failures) for followed in announced] == [1]


async def test_bug_is_dead_lettered_after_the_attempts_and_reported_once(consuming: Probe, bus_log: BusLog) -> None:
    bus_log.expect("handler failed")
    event = happened()

    async def fail(*_: object) -> None:
        raise KeyError("a bug")

    consuming.script.behaviours[event.run.run_id] = fail
    await consuming.sender.event(event, repeat=2)
    await consuming.pass_by()

    assert len(consuming.script.calls_of(event.run)) == POLICY.attempts
    reported = consuming.script.reports_of(event.run)
    assert [(failure.subject, failure.reason) for failure in reported] == [("probe.happened part 0", "KeyError")]
    letters = await eventually(lambda: consuming.dead_letters.of(event.run))
    assert [headers_of(letter)["dlq-attempts"] for letter in letters] == ["2"]
    assert headers_of(letters[0])["dlq-reason"] == "KeyError"
    assert letters[0].value == event.model_dump_json().encode()
    assert bus_log.count("handler failed", consumer="probe.follow_script") == 1


async def test_poison_raised_by_the_handler_is_not_retried(consuming: Probe) -> None:
    event = happened()

    async def refuse(*_: object) -> None:
        raise PoisonEvent("portfolio must exist, was unknown")

    consuming.script.behaviours[event.run.run_id] = refuse
    await consuming.sender.event(event)
    await consuming.pass_by()

    assert len(consuming.script.calls_of(event.run)) == 1
    assert len(consuming.script.reports_of(event.run)) == 1


async def test_transient_error_is_retried_then_redelivered_and_finally_processed(
    consuming: Probe, bus_log: BusLog
) -> None:
    event = happened()

    async def fail_three_times(failed: Event, _: UnitOfWork) -> None:
        if len(consuming.script.calls_of(failed.run)) <= 3:
            raise TransientError("the world failed")

    consuming.script.behaviours[event.run.run_id] = fail_three_times
    await consuming.sender.event(event)
    await consuming.pass_by()

    assert len(consuming.script.calls_of(event.run)) == 4
    assert await count(consuming.engine, "facts", event.run) == 1
    assert bus_log.count("left for redelivery") == 1
    assert consuming.script.reports_of(event.run) == []


async def test_failure_report_that_fails_does_not_block_the_partition(consuming: Probe, bus_log: BusLog) -> None:
    bus_log.expect("handler failed", "failure report failed")
    event = happened()

    async def fail(*_: object) -> None:
        raise KeyError("a bug")

    consuming.script.behaviours[event.run.run_id] = fail
    consuming.script.report_behaviours[event.run.run_id] = fail
    await consuming.sender.event(event)
    await consuming.pass_by()

    assert await eventually(lambda: consuming.dead_letters.of(event.run))
    assert await count(consuming.engine, "facts", event.run) == 0


async def test_line_logged_by_a_handler_says_whose_it_is_in_its_threads_too(consuming: Probe, bus_log: BusLog) -> None:
    event = happened(part=Part(index=2, total=7))

    async def tell(*_: object) -> None:
        log.info("in the handler")
        await asyncio.to_thread(log.info, "in its thread")

    consuming.script.behaviours[event.run.run_id] = tell
    await consuming.sender.event(event)
    await consuming.pass_by()

    for message in ("in the handler", "in its thread", "event consumed"):
        assert [_whose(line) for line in bus_log.of(message, event.run)] == [_of_the_probe(event, part="3/7")]
    # An event a line would drown the runs and stages that `up` tells of by default.
    assert bus_log.count("event consumed", level="debug") == len(bus_log.of("event consumed"))


async def test_line_about_a_failure_says_whose_it_is(consuming: Probe, bus_log: BusLog) -> None:
    bus_log.expect("handler failed")
    bug, outage = happened(), happened()

    async def fail(*_: object) -> None:
        raise KeyError("a bug")

    async def fail_for_a_while(failed: Event, _: UnitOfWork) -> None:
        if len(consuming.script.calls_of(failed.run)) <= POLICY.attempts:
            raise TransientError("the world failed")

    consuming.script.behaviours[bug.run.run_id] = fail
    consuming.script.behaviours[outage.run.run_id] = fail_for_a_while
    await consuming.sender.event(bug)
    await consuming.sender.event(outage)
    await consuming.pass_by()

    for event, message in (
        *((bug, message) for message in ("attempt failed", "handler failed", "set aside")),
        *((outage, message) for message in ("attempt failed", "left for redelivery")),
    ):
        assert [_whose(line) for line in bus_log.of(message, event.run)] == [_of_the_probe(event)]
    assert bus_log.of("set aside", bug.run)[0]["attempts"] == POLICY.attempts


async def test_line_about_a_bad_message_says_nothing_of_the_one_before(consuming: Probe, bus_log: BusLog) -> None:
    event, claimed = happened(), happened()

    async def bind(*_: object) -> None:
        bind_contextvars(symbol="AAPL")
        log.info("bound")

    consuming.script.behaviours[event.run.run_id] = bind
    await consuming.sender.event(event)
    await consuming.sender.raw(event.topic, b"{nope", headers=with_headers(claimed))
    await consuming.sender.raw(event.topic, b"{nope", headers={})
    await consuming.pass_by()

    assert bus_log.of("bound", event.run)[0]["symbol"] == "AAPL"
    about_the_claimed, about_nobody = bus_log.of("set aside")
    assert _whose(about_the_claimed) == {**CONSUMER, "run": str(claimed.run.run_id)}
    assert _whose(about_nobody) == CONSUMER
    assert "symbol" not in about_the_claimed


async def test_lines_of_two_consumers_at_work_together_stay_apart(consuming: Probe, bus_log: BusLog) -> None:
    event, other = happened(), ProbeFlooded(run=make_run(), part=Part(index=1, total=2))
    both_at_work = asyncio.Barrier(2)

    async def tell_when_both_are_at_work(*_: object) -> None:
        await both_at_work.wait()
        log.info("side by side")
        await both_at_work.wait()
        await asyncio.to_thread(log.info, "side by side")

    consuming.script.behaviours[event.run.run_id] = tell_when_both_are_at_work
    consuming.flooded.behaviours[other.run.run_id] = tell_when_both_are_at_work
    await consuming.sender.event(event)
    await consuming.sender.event(other)

    async def told() -> bool:
        return all(bus_log.of("event consumed", run) for run in (event.run, other.run))

    await eventually(told)
    assert [_whose(line) for line in bus_log.of("side by side", event.run)] == [_of_the_probe(event)] * 2
    assert [_whose(line) for line in bus_log.of("side by side", other.run)] == [
        {
            "service": "probe_low_limit",
            "consumer": "probe_low_limit.follow_script",
            "topic": "probe.flooded",
            "run": str(other.run.run_id),
            "part": "2/2",
        }
    ] * 2


def _whose(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in ("service", "consumer", "topic", "run", "part") if name in line}


def _of_the_probe(event: Event, *, part: str = "1/1") -> dict[str, Any]:
    return {**CONSUMER, "run": str(event.run.run_id), "part": part}


def _nested(levels: int) -> bytes:
    return b'{"run": ' * levels + b"1" + b"}" * levels


def _spoilt(event: Event, **changes: Any) -> bytes:
    return json.dumps({**body_of(event), **changes}).encode()


RUN = make_run()
EVENT = happened(RUN)
SOUND = EVENT.model_dump_json().encode()
BAD_MESSAGES: dict[str, tuple[bytes | None, dict[str, Any], str]] = {
    "invalid JSON": (b"{nope", with_headers(EVENT), "Invalid JSON"),
    "not an object": (b"[]", with_headers(EVENT), "body"),
    "not UTF-8": (b"\xff\xfe", with_headers(EVENT), "Invalid JSON"),
    "null value": (None, with_headers(EVENT), "Invalid JSON"),
    "empty value": (b"", with_headers(EVENT), "Invalid JSON"),
    "NaN": (_spoilt(EVENT, numbers=[float("nan")]), with_headers(EVENT), "numbers.0"),
    "Infinity": (_spoilt(EVENT, numbers=[float("inf")]), with_headers(EVENT), "numbers.0"),
    "number beyond double": (SOUND.replace(b'"numbers":[]', b'"numbers":[1e999]'), with_headers(EVENT), "numbers.0"),
    "deep nesting": (_nested(900), with_headers(EVENT), "recursion limit"),
    "missing run": (_spoilt(EVENT, run=None), with_headers(EVENT), "run"),
    "part beyond the total": (
        _spoilt(EVENT, part={"index": 3, "total": 2}),
        with_headers(EVENT),
        "index must be below 2",
    ),
    "NUL in a name": (_spoilt(EVENT, names={"a\x00b": "x"}), with_headers(EVENT), "must not contain NUL"),
    "unknown version": (SOUND, with_headers(EVENT, ce_type="probe.happened.v2"), "ce_type must be probe.happened.v1"),
    "type of another topic": (SOUND, with_headers(EVENT, ce_type="prices.updated.v1"), "ce_type must be"),
    "no ce_type": (SOUND, {}, "ce_type must be"),
    "ce_id of another event": (SOUND, with_headers(EVENT, ce_id=str(happened().event_id)), "ce_id must be"),
    "ce_id that is no UUID": (SOUND, with_headers(EVENT, ce_id="x"), "was no UUID"),
    "binary header": (SOUND, with_headers(EVENT, ce_id=b"\xff\x00\xfe"), "ce_id must be"),
    "null header": (SOUND, with_headers(EVENT, ce_type=None), "ce_type must be"),
    "NUL in a header": (SOUND, with_headers(EVENT, ce_id="a\x00b"), "was no UUID"),
}


@pytest.mark.parametrize("case", BAD_MESSAGES)
async def test_bad_message_is_set_aside_with_cause_and_origin(consuming: Probe, case: str) -> None:
    value, headers, cause = BAD_MESSAGES[case]

    offset = await consuming.sender.raw(ProbeHappened.topic, value, headers=headers)
    await consuming.pass_by()

    letter = await consuming.dead_letter_at(offset)
    assert letter["dlq-reason"] == "InvalidEvent"
    assert cause in letter["dlq-detail"]
    origin = {name: letter[f"dlq-{name}"] for name in ("consumer", "topic", "partition", "attempts")}
    assert origin == {
        "consumer": "probe.follow_script",
        "topic": "probe.happened",
        "partition": "0",
        "attempts": "1",
    }
    assert consuming.script.calls_of(RUN) == []


@pytest.mark.parametrize("key", [None, b"\xff\xfe", b"a\x00b", b""])
async def test_bad_message_with_an_odd_key_is_set_aside(consuming: Probe, key: bytes | None) -> None:
    offset = await consuming.sender.raw(ProbeHappened.topic, b"{nope", headers=with_headers(EVENT), key=key)
    await consuming.pass_by()

    assert (await consuming.dead_letter_at(offset))["dlq-reason"] == "InvalidEvent"


async def test_event_with_unknown_fields_and_odd_extra_headers_is_processed(consuming: Probe) -> None:
    event = happened()
    value = _spoilt(event, added_in_a_later_version={"deeply": ["new"]})

    await consuming.sender.raw(event.topic, value, headers=with_headers(event, extra=b"\xff\x00", empty=None))
    await consuming.pass_by()

    assert consuming.script.calls_of(event.run) == [event]


async def _send_again(consuming: Probe, event: Event, *, consumer: str, replay: str, value: bytes | None = None) -> int:
    headers = with_headers(event, **{"replay-id": replay, "replay-for": consumer})
    return await consuming.sender.raw(event.topic, value or event.model_dump_json().encode(), headers=headers)


async def test_message_that_is_for_another_consumer_is_passed_by_unread(consuming: Probe) -> None:
    event = happened()
    letters = len(consuming.dead_letters.records)

    for value in (None, b"{nope"):
        await _send_again(consuming, event, consumer="probe.somebody_else", replay="one", value=value)
    await consuming.pass_by()

    assert consuming.script.calls_of(event.run) == []
    assert await inbox_count(consuming.engine, event) == 0
    await consuming.dead_letters.read()
    assert len(consuming.dead_letters.records) == letters


async def test_letter_sent_again_is_processed_once_and_said_to_be_settled_once(
    consuming: Probe, bus_log: BusLog
) -> None:
    bus_log.expect("set aside")
    event = happened()

    async def fail(*_: object) -> None:
        raise PoisonEvent("not yet")

    consuming.script.behaviours[event.run.run_id] = fail
    await consuming.sender.event(event)
    await consuming.pass_by()
    del consuming.script.behaviours[event.run.run_id]

    for _ in range(3):
        await _send_again(consuming, event, consumer="probe.follow_script", replay="one")
    await consuming.pass_by()

    assert len(consuming.script.calls_of(event.run)) == 2
    assert await count(consuming.engine, "facts", event.run) == 1

    async def two() -> list[Any]:
        found = await consuming.dead_letters.of(event.run)
        return found if len(found) >= 2 else []

    letter, settled = map(headers_of, await eventually(two))
    assert letter["dlq-reported"] == "yes"
    assert [settled[name] for name in ("replay-id", "dlq-consumer", "dlq-settled")] == [
        "one",
        "probe.follow_script",
        "yes",
    ]


async def test_letter_of_which_the_run_was_told_nothing_says_so(consuming: Probe) -> None:
    offset = await consuming.sender.raw(ProbeHappened.topic, b"{nope", headers=with_headers(EVENT))
    await consuming.pass_by()
    assert "dlq-reported" not in await consuming.dead_letter_at(offset)


async def test_what_cannot_be_decoded_and_what_is_sent_again_never_stops_a_consumer(consuming: Probe) -> None:
    event = ProbeFlooded(run=make_run(), part=ONLY_PART)
    for number in range(BREAKER.among + 1):
        await consuming.sender.raw(ProbeFlooded.topic, b"{nope", headers=with_headers(event))
        await _send_again(
            consuming, event, consumer="probe_low_limit.follow_script", replay=str(number), value=b"{nope"
        )
    await _passed_by_flooded(consuming)
    assert consuming.flooded_consume.troubles() == []


async def test_poison_does_not_stop_a_consumer(consuming: Probe) -> None:
    async def refuse(*_: object) -> None:
        raise PoisonEvent("never")

    for _ in range(BREAKER.among + 1):
        await consuming.sender.event(_flooding(consuming, refuse))
    await _passed_by_flooded(consuming)
    assert consuming.flooded_consume.troubles() == []


async def test_topic_whose_messages_fail_on_our_side_waits_and_goes_on_when_it_is_over(
    consuming: Probe, bus_log: BusLog
) -> None:
    bus_log.expect("handler failed")
    told: list[list[str]] = []

    async def fail(*_: object) -> None:
        raise KeyError("a bug")

    async def fail_for_a_while(*_: object) -> None:
        told.append(consuming.flooded_consume.troubles())
        if len(told) <= BREAKER.tries:
            raise KeyError("a bug")

    broken = [_flooding(consuming, fail) for _ in range(BREAKER.failures)]
    held = _flooding(consuming, fail_for_a_while)
    for event in (*broken, held):
        await consuming.sender.event(event)
    await _passed_by_flooded(consuming)

    assert [len(trouble) for trouble in told] == [0, 1, 1, 1]
    assert told[-1][0].startswith("probe_low_limit.follow_script pauses since ")
    assert f"2 of the last 4 messages of {ProbeFlooded.topic} failed, then KeyError('a bug')" in told[-1][0]
    assert consuming.flooded_consume.troubles() == []
    assert not consuming.flooded_consume.given_up.is_set()
    assert bus_log.count("consumer pauses") == BREAKER.tries
    assert [len(await consuming.flooded_dead_letters.of(event.run)) for event in (*broken, held)] == [1, 1, 0]


async def test_consumer_that_has_paused_as_often_as_it_may_gives_up_and_loses_nothing(
    consuming: Probe, bus_log: BusLog
) -> None:
    bus_log.expect("handler failed")

    async def fail(*_: object) -> None:
        raise KeyError("a bug")

    async def fail_until_given_up(*_: object) -> None:
        if not consuming.flooded_consume.given_up.is_set():
            raise KeyError("a bug")

    for event in [_flooding(consuming, fail) for _ in range(BREAKER.failures)]:
        await consuming.sender.event(event)
    held = _flooding(consuming, fail_until_given_up)
    await consuming.sender.event(held)
    await _passed_by_flooded(consuming)

    # What was held is the next one's first message: here the same consumer goes on with it.
    assert consuming.flooded_consume.given_up.is_set()
    assert len(consuming.flooded.calls_of(held.run)) == BREAKER.tries + 2
    assert await consuming.flooded_dead_letters.of(held.run) == []


def _flooding(consuming: Probe, behaviour: Behaviour) -> ProbeFlooded:
    event = ProbeFlooded(run=make_run(), part=ONLY_PART)
    consuming.flooded.behaviours[event.run.run_id] = behaviour
    return event


async def _passed_by_flooded(consuming: Probe) -> None:
    # Enough of them that nothing from before is among the last.
    sentinels = [ProbeFlooded(run=make_run(), part=ONLY_PART) for _ in range(BREAKER.among)]
    for sentinel in sentinels:
        await consuming.sender.event(sentinel)

    async def passed() -> bool:
        return all(consuming.flooded.calls_of(sentinel.run) for sentinel in sentinels)

    await eventually(passed)
