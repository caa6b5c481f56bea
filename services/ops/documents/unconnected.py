"""All services put together for their documents: nothing is at their addresses, and nothing is connected."""

from functools import cache

from pydantic import SecretStr

from services.ops.composition import build_services
from shared.contracts.services import SERVICES
from shared.service import Service
from shared.settings import CommonSettings

UNCONNECTED = CommonSettings(
    database_url=SecretStr("postgresql://nobody@localhost/nothing"),
    bootstrap_servers="localhost:9092",
    viewer_token=SecretStr("unused"),
    operator_token=SecretStr("unused"),
)


@cache
def unconnected_services() -> tuple[Service, ...]:
    """Return all services, put together once: documents only read them."""
    return tuple(build_services(SERVICES, UNCONNECTED))
