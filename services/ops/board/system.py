"""The system: lag, outboxes and databases of the services, vendors with budgets and breakers, alert conditions."""

from collections import defaultdict
from typing import Final, TypedDict

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from prometheus_client.parser import text_string_to_metric_families

from services.ops.board.caller import Caller
from services.ops.board.conditions import CONDITIONS, Sample, stand_of
from services.ops.board.pages import page
from services.ops.board.paths import SYSTEM_PAGE
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_list
from services.ops.client.routes import VENDORS
from services.ops.client.together import together
from services.ops.errors import Refused
from shared.contracts.services import SERVICES
from shared.metrics import catalogue

_LAGGING_SHOWN: Final = 12

router = APIRouter()


class ServiceRow(TypedDict):
    """What was read of a service; None: it was not served."""

    name: str
    database: float | None
    pending: float | None
    oldest: float | None
    lag: float | None


@router.get(SYSTEM_PAGE, response_class=HTMLResponse)
def system(request: Request, caller: Caller) -> HTMLResponse:
    """Show how the services, the bus and the vendors are."""
    with together() as ask:
        read, listed = ask(_samples, caller), ask(load_list, caller, VENDORS)
        samples, vendors = read.result(), listed.result()
    lag: dict[str, float] = defaultdict(float)
    for sample in samples or ():
        if sample.name == catalogue.CONSUMER_LAG.name:
            lag[sample.labels["consumer"]] += sample.value
    behind = sorted(((name, value) for name, value in lag.items() if value), key=lambda each: -each[1])
    return page(
        request,
        "system.html.j2",
        services=None if samples is None else [_row(name, samples) for name in SERVICES],
        conditions=None if samples is None else [stand_of(each, samples) for each in CONDITIONS],
        behind=behind[:_LAGGING_SHOWN],
        vendors=vendors,
    )


def _samples(caller: ApiClient) -> list[Sample] | None:
    """Return what the process that answers serves; None where it is no service's, as behind a gateway."""
    try:
        text = caller.read_text("/metrics")
    except Refused:
        return None
    families = text_string_to_metric_families(text)
    return [Sample(each.name, each.labels, each.value) for family in families for each in family.samples]


def _row(service: str, samples: list[Sample]) -> ServiceRow:
    def read(name: str) -> float | None:
        found = [each.value for each in samples if each.name == name and each.labels.get("service") == service]
        return sum(found) if found else None

    return {
        "name": service,
        "database": read(catalogue.DATABASE.name),
        "pending": read(catalogue.OUTBOX_PENDING.name),
        "oldest": read(catalogue.OUTBOX_AGE.name),
        "lag": read(catalogue.CONSUMER_LAG.name),
    }
