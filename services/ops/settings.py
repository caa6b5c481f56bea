"""Settings of the command line that aren't options: secrets and what a deployment fixes."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class OpsSettings(BaseSettings):
    """What `up` takes from the environment when it is there, and makes up and keeps when it isn't."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    viewer_token: SecretStr | None = None
    operator_token: SecretStr | None = None
    service_database_password: SecretStr | None = None


class TopicSettings(BaseSettings):
    """How topics are made."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="TOPIC_")

    partitions: int = 4


class ClientSettings(BaseSettings):
    """What the client commands take from the environment when it is there."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    sigmasight_token: SecretStr | None = None
