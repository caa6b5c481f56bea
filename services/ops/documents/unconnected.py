"""All services put together for their documents: nothing is at their addresses, and nothing is connected."""

from pydantic import SecretStr

from shared.settings import CommonSettings

UNCONNECTED = CommonSettings(
    database_url=SecretStr("postgresql://nobody@localhost/nothing"),
    bootstrap_servers="localhost:9092",
    viewer_token=SecretStr("unused"),
    operator_token=SecretStr("unused"),
)
