"""Settings of the command line that aren't options: secrets and what a deployment fixes."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.contracts.catalogue import TopicLayout, all_topics
from shared.sessions import SessionSettings


class OpsSettings(BaseSettings):
    """What `up` takes from the environment when it is there, and makes up and keeps when it isn't."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    viewer_token: SecretStr | None = None
    operator_token: SecretStr | None = None
    session_key: SecretStr | None = None
    service_database_password: SecretStr | None = None


class TopicSettings(BaseSettings):
    """How topics are made that are not there yet; `partitions_of` names those with another number of partitions."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="TOPIC_")

    partitions: int = Field(default=4, ge=1)
    partitions_of: dict[str, Annotated[int, Field(ge=1)]] = {}
    replication_factor: int = Field(default=1, ge=1)
    min_insync_replicas: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _topics_exist(self) -> Self:
        unknown = sorted(self.partitions_of.keys() - all_topics())
        if unknown:
            raise ValueError(f"topic_partitions_of must name topics, was {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _replicas_suffice(self) -> Self:
        if self.min_insync_replicas > self.replication_factor:
            most = self.replication_factor
            raise ValueError(f"topic_min_insync_replicas must be at most {most}, was {self.min_insync_replicas}")
        return self

    def layout(self, *, at_least: int) -> TopicLayout:
        """Return how topics are made, with a partition at least for each of so many processes."""
        return TopicLayout(
            partitions=max(self.partitions, at_least),
            partitions_of=self.partitions_of,
            replication_factor=self.replication_factor,
            min_insync_replicas=self.min_insync_replicas,
        )


class PeopleSettings(SessionSettings):
    """Who may sign in to pages, and where everybody is written down who may."""

    # Compose hands on what nobody has set as nothing.
    model_config = SettingsConfigDict(env_ignore_empty=True)

    users_file: Path | None = None
    # Where there is one, people sign in there, and the file counts for nothing.
    oidc_issuer: str | None = None


class OpenIdSettings(BaseSettings):
    """At which identity provider people sign in, and what its claims are here."""

    # Compose hands on what nobody has set as nothing.
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_prefix="OIDC_", env_ignore_empty=True, hide_input_in_errors=True
    )

    issuer: str
    client_id: str
    client_secret: SecretStr
    # Where the provider sends people back to: https://.../sign-in/answered
    redirect_url: str
    scope: str = "openid"
    # What never becomes somebody else's.
    name_claim: str = "sub"
    groups_claim: str = "groups"
    roles_claim: str = "groups"
    # What each of those is here; whoever has none of them is an owner.
    roles: dict[str, Literal["owner", "viewer", "operator", "admin"]] = {}


class ClientSettings(BaseSettings):
    """What the client commands take from the environment when it is there."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    sigmasight_token: SecretStr | None = None
