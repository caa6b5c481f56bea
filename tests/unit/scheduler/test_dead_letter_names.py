"""Whom the message of a dead letter names."""

from uuid import UUID

import pytest

from services.scheduler.storage.readiness_inputs import named_in
from shared.contracts.event import Event
from shared.contracts.market_data import MarketDataDue, PriceBlock, PricesUpdated
from shared.contracts.portfolio import PortfolioDue
from shared.contracts.risk import RiskDue
from shared.contracts.run import ONLY_PART
from shared.contracts.scheduler import BatchTriggered
from tests.support.runs import SESSION, make_run

P = UUID(int=3)
RUN = make_run()
BLOCK = PriceBlock(sessions=(SESSION,), symbols=("A",), close=((1.0,),), adjusted=((1.0,),))
DUE = PortfolioDue(
    run=RUN, part=ONLY_PART, portfolio_ids=(P,), first_session=SESSION, last_session=SESSION, prices_seen_below=1
)


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (MarketDataDue(run=RUN, part=ONLY_PART, symbols=("A", "B")), {"A", "B"}),
        (PricesUpdated(run=RUN, part=ONLY_PART, blocks=(BLOCK,)), {"A"}),
        (DUE, {str(P)}),
        (RiskDue(run=RUN, part=ONLY_PART, portfolio_ids=(P,)), {str(P)}),
        (BatchTriggered(run=RUN, part=ONLY_PART), None),
        (PricesUpdated(run=RUN, part=ONLY_PART), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_message_names_those_it_speaks_of_or_whose_shard_it_is(event: Event, names: set[str] | None) -> None:
    assert named_in(event.topic, event.model_dump_json().encode()) == names


@pytest.mark.parametrize(
    ("topic", "value"), [("portfolio.due", b'{"run": "nonsense'), ("portfolio.due", b"\xff"), ("x", b"")]
)
def test_message_that_cannot_be_read_may_concern_anybody(topic: str, value: bytes) -> None:
    assert named_in(topic, value) is None
