"""What every event promises to its readers, whoever they are."""

import json
import math
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.bus.dead_letters import Letter, dead_letter
from shared.bus.decoding import decode
from shared.contracts.catalogue import BY_BOOK, BY_INDEX, BY_RUN, EVENTS, promise
from shared.contracts.event import Event, Measure
from shared.contracts.market_data import (
    CorporateAction,
    Correction,
    HeldClose,
    MarketDataDue,
    PriceBlock,
    PricesUpdated,
)
from shared.contracts.portfolio import Book, PortfolioDue, PortfoliosValued, Snapshot
from shared.contracts.risk import AssessedSpan, PortfoliosAssessed
from shared.contracts.run import MAX_PARTS, ONLY_PART, Named, Part
from shared.contracts.scheduler import BatchTriggered
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored
from shared.db.outbox import MAX_MESSAGE_BYTES, outbox_row
from shared.errors import EventTooLarge, InvalidEvent, is_poison
from tests.support.event_strategies import events
from tests.support.runs import SESSION, make_run

EVENT_TYPES = pytest.mark.parametrize("event_type", EVENTS.values(), ids=list(EVENTS))
NOT_NUMBERS = pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])


@EVENT_TYPES
@settings(max_examples=5)
@given(data=st.data())
def test_event_of_any_content_survives_the_way_over_the_wire(event_type: type[Event], data: st.DataObject) -> None:
    event: Event = data.draw(events(event_type))
    row = outbox_row(event, source="test")

    received = decode(
        Letter(row.topic, 0, 0, row.key, row.value, row.headers), EVENTS_BY_TOPIC, today=date(2101, 12, 31)
    )

    assert received == event
    assert received.event_id == event.event_id
    assert received.model_dump_json() == event.model_dump_json()


EVENTS_BY_TOPIC = dict(EVENTS)


@EVENT_TYPES
@settings(max_examples=3)
@given(data=st.data())
def test_key_of_a_message_is_the_one_that_its_topic_promises(event_type: type[Event], data: st.DataObject) -> None:
    event: Event = data.draw(events(event_type))

    run, book = str(event.run.run_id), getattr(event, "portfolio_id", None)
    keys = {
        BY_INDEX.name: f"shard-{event.part.index}",
        BY_RUN.name: run,
        BY_BOOK.name: run if book is None else str(book),
    }
    assert event.key == keys[promise(event.topic).key]


def test_event_that_no_broker_takes_is_poison_where_it_is_announced() -> None:
    one = len(make_run(symbols=("A" * 20,)).model_dump_json()) - len(make_run(symbols=()).model_dump_json())
    most = MAX_MESSAGE_BYTES // (one + 1)
    room = BatchTriggered(run=make_run(symbols=("A" * 20,) * (most * 99 // 100)), part=ONLY_PART)
    none = BatchTriggered(run=make_run(symbols=("A" * 20,) * most), part=ONLY_PART)

    row = outbox_row(room, source="test")

    letter = Letter(row.topic, 0, 0, row.key, row.value, row.headers)
    error = EventTooLarge(row.topic, 1, largest=0)
    dead = dead_letter(letter, consumer="a.consumer", error=error, attempts=1, reported=True)
    assert len(dead.value) + len(str(dead.headers)) < MAX_MESSAGE_BYTES
    with pytest.raises(EventTooLarge, match=r"batch\.triggered must have at most 8355840 bytes, was 838"):
        outbox_row(none, source="test")
    assert is_poison(error)


@given(data=st.data())
def test_what_a_run_leaves_unsaid_is_null_and_named_and_the_rest_of_it_as_it_was(data: st.DataObject) -> None:
    names: list[Named] = data.draw(st.lists(st.sampled_from(["symbols", "portfolio_ids"])))
    symbols = data.draw(st.none() | st.lists(st.sampled_from("ABC")).map(tuple))
    portfolio_ids = data.draw(st.none() | st.lists(st.uuids()).map(tuple))
    run = make_run(symbols=symbols, portfolio_ids=portfolio_ids)

    said = run.leaving_unsaid(*names)

    # What means all, or none, is short and stays.
    assert set(said.unsaid) == {name for name in names if getattr(run, name)}
    assert all(getattr(said, name) is None for name in said.unsaid)
    assert said.model_copy(update={**{name: getattr(run, name) for name in said.unsaid}, "unsaid": ()}) == run
    assert said.leaving_unsaid(*names) == said


def _triggered(**changes: Any) -> BatchTriggered:
    return BatchTriggered(**{"run": make_run(), "part": ONLY_PART, **changes})


def test_event_id_of_the_same_statement_is_the_same() -> None:
    run = make_run(run_id=UUID("00000000-0000-0000-0000-000000000001"))
    one = PricesUpdated(run=run, part=Part(index=1, total=3), subjects=5)
    # Made elsewhere, later, by other code: the id says what is stated, not what is known about it.
    again = PricesUpdated.model_validate_json(one.model_copy(update={"subjects": 6}).model_dump_json())

    assert one.event_id == again.event_id
    assert one.event_id == UUID("8603d1b3-08f7-59b5-b802-f153af0fc057")


def test_event_id_of_another_statement_is_another() -> None:
    run = make_run()
    statements = [
        PricesUpdated(run=run, part=Part(index=0, total=3)),
        PricesUpdated(run=run, part=Part(index=1, total=3)),
        PricesUpdated(run=run, part=Part(index=0, total=2)),
        PricesUpdated(run=make_run(), part=Part(index=0, total=3)),
        PortfoliosValued(run=run, part=Part(index=0, total=3)),
    ]
    assert len({event.event_id for event in statements}) == len(statements)


@EVENT_TYPES
def test_event_is_frozen(event_type: type[Event]) -> None:
    event = event_type.model_construct(run=make_run(), part=ONLY_PART)
    with pytest.raises(ValidationError, match="frozen"):
        event.subjects = 3  # type: ignore[misc]


@EVENT_TYPES
@settings(max_examples=2)
@given(data=st.data())
def test_event_with_fields_of_a_later_version_is_read(event_type: type[Event], data: st.DataObject) -> None:
    event: Event = data.draw(events(event_type))
    body = json.loads(event.model_dump_json())
    body["added_later"] = {"what": ["ever"]}
    body["run"]["added_later"] = 1

    assert event_type.model_validate_json(json.dumps(body)) == event


def test_correction_that_names_its_only_session_is_read_and_written_as_ever() -> None:
    event = PricesUpdated(run=make_run(), part=ONLY_PART, corrections=(Correction(symbol="A", first_session=SESSION),))
    body = json.loads(event.model_dump_json())

    (said,) = body["corrections"]
    assert said == {"symbol": "A", "session": SESSION.isoformat(), "last_session": None, "revision": 0}
    del said["last_session"], said["revision"]
    assert PricesUpdated.model_validate_json(json.dumps(body)) == event


@NOT_NUMBERS
def test_number_that_is_none_is_refused_at_construction(number: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        PriceBlock(sessions=(SESSION,), symbols=("A",), close=((number,),), adjusted=((1.0,),))
    with pytest.raises(ValidationError, match="finite number"):
        Measure(value=number)
    with pytest.raises(ValidationError, match="finite number"):
        Book(
            portfolio_id=uuid4(),
            as_of=SESSION,
            revision=1,
            equity=str(number),
            symbols=(),
            exposures=(),
        )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"NaN"', '"inf"'])
def test_number_that_is_none_is_refused_in_parsing(number: str) -> None:
    block = PriceBlock(sessions=(SESSION,), symbols=("A",), close=((7.25,),), adjusted=((1.0,),))
    sound = PricesUpdated(run=make_run(), part=ONLY_PART, blocks=(block,)).model_dump_json()
    assert "7.25" in sound
    with pytest.raises(ValidationError):
        PricesUpdated.model_validate_json(sound.replace("7.25", number))


@pytest.mark.parametrize(("index", "total"), [(-1, 1), (0, 0), (1, 1), (5, 3)])
def test_part_outside_its_total_is_refused(index: int, total: int) -> None:
    with pytest.raises(ValidationError):
        Part(index=index, total=total)


def test_block_whose_columns_do_not_fit_is_refused() -> None:
    with pytest.raises(ValidationError, match="close must have 2 rows of 1 entries"):
        PriceBlock(sessions=(SESSION,), symbols=("A", "B"), close=((1.0,),), adjusted=((1.0,), (1.0,)))
    with pytest.raises(ValidationError, match="adjusted must have 1 rows of 1 entries"):
        PriceBlock(sessions=(SESSION,), symbols=("A",), close=((1.0,),), adjusted=((1.0, 2.0),))


def test_run_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="first_session must not be after 2025-03-14, was 2025-03-17"):
        make_run(first_session=SESSION.replace(day=17))


def test_message_carries_cloudevents_and_trace_headers() -> None:
    event = PricesUpdated(run=make_run(), part=Part(index=2, total=7))

    row = outbox_row(event, source="market_data")

    assert (row.topic, row.key, row.run_id) == ("prices.updated", "shard-2", event.run.run_id)
    assert row.value == event.model_dump_json().encode()
    assert row.headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": str(event.event_id),
        "ce_type": "prices.updated.v1",
        "ce_source": "urn:sigmasight:market_data",
        "ce_subject": f"{event.run.run_id}/2",
        "traceparent": f"00-{event.run.run_id.hex}-{event.run.run_id.hex[16:]}-01",
    }


def test_message_of_a_run_is_keyed_by_the_run() -> None:
    event = _triggered()
    assert outbox_row(event, source="scheduler").key == str(event.run.run_id)


def _block(symbol: str = "A", session: date = SESSION, close: float = 7.25, adjusted: float = 7.25) -> dict[str, Any]:
    return {"sessions": (session,), "symbols": (symbol,), "close": ((close,),), "adjusted": ((adjusted,),)}


@pytest.mark.parametrize(
    ("forged", "rule"),
    [
        (_block(close=0.0), "close must be above 0, was 0.0"),
        (_block(close=-1.0), "close must be above 0, was -1.0"),
        (_block(adjusted=-1.0), "adjusted must be above 0, was -1.0"),
        (_block(session=date(2025, 3, 15)), "sessions must be those of the exchange, was 2025-03-15"),
        (_block(session=date(2999, 3, 15)), "sessions must be those of the exchange, was 2999-03-15"),
        (_block(symbol="a"), "should match pattern"),
        (_block(symbol="A" * 21), "should match pattern"),
        (_block(symbol="A\n"), "should match pattern"),
    ],
)
def test_bars_that_no_file_may_say_are_no_event_either(forged: dict[str, Any], rule: str) -> None:
    PriceBlock(**_block())
    with pytest.raises(ValidationError, match=rule):
        PriceBlock(**forged)


SATURDAY = date(2025, 3, 15)
MISSPELT = "should match pattern"


@pytest.mark.parametrize(
    ("forge", "rule"),
    [
        (lambda: make_run(symbols=("AAPL", "aapl")), MISSPELT),
        (lambda: make_run(symbols=("A\n",)), MISSPELT),
        (lambda: _priced(splits=(_action(symbol=""),)), MISSPELT),
        (lambda: _priced(splits=(_action(session=SATURDAY),)), "those of the exchange, was 2025-03-15"),
        (lambda: _priced(dividends=(_action(session=SATURDAY),)), "those of the exchange, was 2025-03-15"),
        (lambda: _priced(dividends=(_action(value=0.0),)), "greater than 0"),
        (lambda: _priced(dividends=(_action(value=math.inf),)), "finite number"),
        (lambda: _priced(corrections=(Correction(symbol="a", first_session=SESSION),)), MISSPELT),
        (lambda: _priced(corrections=(Correction(symbol="A", first_session=SATURDAY),)), "was 2025-03-15"),
        (
            lambda: _priced(corrections=(Correction(symbol="A", first_session=SESSION, last_session=SATURDAY),)),
            "was 2025-03-15",
        ),
        (lambda: _priced(held=(HeldClose(symbol="A", session=SATURDAY, rule="x"),)), "was 2025-03-15"),
    ],
)
def test_what_no_file_may_say_of_symbols_and_sessions_is_no_event_either(
    forge: Callable[[], object], rule: str
) -> None:
    _priced(splits=(_action(),), dividends=(_action(),))
    with pytest.raises(ValidationError, match=rule):
        forge()


def _action(**changes: Any) -> CorporateAction:
    return CorporateAction(**{"symbol": "A", "session": SESSION, "value": 2.0, **changes})


def _priced(**said: Any) -> PricesUpdated:
    return PricesUpdated(run=make_run(), part=ONLY_PART, **said)


TOMORROW, PAST = SESSION + timedelta(days=3), make_run(first_session=SESSION, last_session=SESSION)
AMOUNTS: dict[str, Any] = dict.fromkeys(("equity", "pnl", "flow", "cash", "gross", "net"), 0)


@pytest.mark.parametrize(
    "event",
    [
        BatchTriggered(run=make_run(last_session=TOMORROW), part=ONLY_PART),
        MarketDataDue(run=PAST, part=ONLY_PART, symbols=(), fetch_first=SESSION, fetch_last=TOMORROW),
        PricesUpdated(run=PAST, part=ONLY_PART, blocks=(PriceBlock(**_block(session=TOMORROW)),)),
        PricesUpdated(run=PAST, part=ONLY_PART, splits=(_action(session=TOMORROW),)),
        PricesUpdated(run=PAST, part=ONLY_PART, corrections=(Correction(symbol="A", first_session=TOMORROW),)),
        SymbolAnalyticsDue(run=PAST, part=ONLY_PART, symbols=(), last_session=TOMORROW),
        SymbolsFactored(run=PAST, part=ONLY_PART, as_ofs=(TOMORROW,), symbols=(), columns=(), values=((),)),
        PortfolioDue(
            run=PAST,
            part=ONLY_PART,
            portfolio_ids=(),
            first_session=SESSION,
            last_session=TOMORROW,
            prices_seen_below=1,
        ),
        PortfoliosValued(
            run=PAST,
            part=ONLY_PART,
            snapshots=(Snapshot(portfolio_id=uuid4(), as_of=TOMORROW, revision=1, stale_positions=0, **AMOUNTS),),
        ),
        PortfoliosAssessed(
            run=PAST,
            part=ONLY_PART,
            assessed=(AssessedSpan(portfolio_id=uuid4(), first_session=SESSION, last_session=TOMORROW),),
        ),
    ],
    ids=lambda event: event.topic,
)
def test_event_of_days_to_come_is_refused_until_they_have(event: Event) -> None:
    row = outbox_row(event, source="test")
    letter = Letter(row.topic, 0, 0, row.key, row.value, row.headers)

    assert decode(letter, EVENTS_BY_TOPIC, today=TOMORROW) == event
    with pytest.raises(InvalidEvent, match=f"must speak of no day after {SESSION}, was {TOMORROW}"):
        decode(letter, EVENTS_BY_TOPIC, today=SESSION)


def test_part_of_more_than_anybody_makes_is_refused() -> None:
    Part(index=0, total=MAX_PARTS)
    with pytest.raises(ValidationError, match=f"total must be at most {MAX_PARTS}, was {MAX_PARTS + 1}"):
        Part(index=0, total=MAX_PARTS + 1)
