"""Settings that every service has; each service adds its own in `services/<name>/settings.py`."""

import json
from datetime import timedelta
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from aiokafka.abc import AbstractTokenProvider
from pydantic import Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.bus.broker import BrokerKind
from shared.bus.connection import Connection, SaslMechanism, SecurityProtocol
from shared.db.engine import TimeLimits, asyncpg_url
from shared.factor_set import FACTOR_SETS, FactorSet
from shared.sessions import SessionSettings

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# Who sets one of them does not mean the plain protocol that is spoken by default.
_OF_A_PROTOCOL: Final = ("kafka_sasl_mechanism", "kafka_ca_file", "kafka_certificate_file")


class KafkaSettings(BaseSettings):
    """How the broker is spoken to; a service has the user of its own name unless one is given."""

    # Errors at start go to the log: what was given may be a secret.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kafka_security_protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    kafka_sasl_mechanism: SaslMechanism | None = None
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    # For OAUTHBEARER: a file with the token, or who gives one to the user for the password.
    kafka_token_file: FilePath | None = None
    kafka_token_url: str | None = None
    kafka_token_scope: str | None = None
    kafka_ca_file: FilePath | None = None
    kafka_certificate_file: FilePath | None = None
    kafka_key_file: FilePath | None = None
    kafka_key_password: SecretStr | None = None

    @field_validator("kafka_token_url")
    @classmethod
    def _guards_the_password(cls, url: str | None) -> str | None:
        address = urlsplit(url or "https:")
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOOPBACK):
            raise ValueError("must begin with https: the password goes there")
        return url

    @model_validator(mode="after")
    def _protocol_is_said(self) -> Self:
        if "kafka_security_protocol" not in self.model_fields_set:
            meant = [name for name in _OF_A_PROTOCOL if getattr(self, name) is not None]
            if meant:
                raise ValueError(f"kafka_security_protocol must be set with {', '.join(meant)}")
        return self

    @model_validator(mode="after")
    def _protocol_and_mechanism_fit(self) -> Self:
        protocol, mechanism = self.kafka_security_protocol, self.kafka_sasl_mechanism
        if protocol.has_sasl and mechanism is None:
            raise ValueError(f"kafka_sasl_mechanism must be set with kafka_security_protocol {protocol}")
        sources = [source for source in (self.kafka_token_file, self.kafka_token_url) if source is not None]
        if protocol.has_sasl and mechanism is SaslMechanism.OAUTHBEARER and len(sources) != 1:
            raise ValueError("of kafka_token_file and kafka_token_url one must be set with OAUTHBEARER")
        return self


class CommonSettings(KafkaSettings, SessionSettings):
    """Addresses, secrets and the factor set, from the environment.

    A service reads ``<SERVICE>_DATABASE_URL`` when there is one. Otherwise it uses the server of ``DATABASE_URL``
    with its own role and ``<SERVICE>_DATABASE_PASSWORD``, or ``SERVICE_DATABASE_PASSWORD``.
    """

    database_url: SecretStr
    service_database_password: SecretStr | None = None
    bootstrap_servers: str
    broker: BrokerKind = BrokerKind.KAFKA
    viewer_token: SecretStr = Field(min_length=1)
    operator_token: SecretStr = Field(min_length=1)
    # From the start of a run to the end of its work on symbols, and from there to that of its work on portfolios.
    symbol_batch_timeout_seconds: float = Field(default=1500.0, gt=0.0)
    portfolio_refresh_timeout_seconds: float = Field(default=900.0, gt=0.0)
    # How many runs for a book that was entered or changed are under way at once; the others wait.
    symbol_onboarding_concurrency: int = Field(default=3, ge=1)
    # What a session of a service may hold up others for: waiting for a lock, silent in a transaction, one statement.
    database_lock_seconds: float = Field(default=60.0, gt=0.0)
    database_idle_in_transaction_seconds: float = Field(default=180.0, gt=0.0)
    database_statement_seconds: float = Field(default=300.0, gt=0.0)
    # How long what was delivered is kept, and what was known before it was corrected; none: for ever.
    log_kept_days: int = Field(default=30, ge=2, le=3650)
    superseded_kept_days: int | None = Field(default=None, ge=1, le=3650)
    settle_delay_minutes: float = Field(default=30.0, ge=0.0)
    # Who collects spans; by default nobody.
    otel_exporter_otlp_endpoint: str | None = None
    # One value for market_data, which keeps its proxies, symbol_analytics and risk.
    factor_set: Annotated[FactorSet, NoDecode] = FactorSet()

    @field_validator("factor_set", mode="before")
    @classmethod
    def _by_name_or_json(cls, value: Any) -> Any:
        return FACTOR_SETS.get(value) or json.loads(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _addresses_are_readable(self) -> "CommonSettings":
        asyncpg_url(self.database_url.get_secret_value())
        return self

    @property
    def database_limits(self) -> TimeLimits:
        """What PostgreSQL lets a session of a service do."""
        return TimeLimits(
            lock_s=self.database_lock_seconds,
            idle_in_transaction_s=self.database_idle_in_transaction_seconds,
            statement_s=self.database_statement_seconds,
        )

    @property
    def longest_run(self) -> timedelta:
        """The age at which every stage of a run has been closed."""
        return timedelta(seconds=self.symbol_batch_timeout_seconds + self.portfolio_refresh_timeout_seconds)

    @property
    def settle_delay(self) -> timedelta:
        """How long after its official close a session counts as closed, whoever asks."""
        return timedelta(minutes=self.settle_delay_minutes)


class ServiceDatabaseUrls(BaseSettings):
    """The services' own database URLs, where they differ from the common one."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    scheduler_database_url: SecretStr | None = None
    market_data_database_url: SecretStr | None = None
    symbol_analytics_database_url: SecretStr | None = None
    portfolio_database_url: SecretStr | None = None
    risk_database_url: SecretStr | None = None


class ServicePasswords(BaseSettings):
    """The passwords of the services' own roles, where they differ from the common one."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    scheduler_database_password: SecretStr | None = None
    market_data_database_password: SecretStr | None = None
    symbol_analytics_database_password: SecretStr | None = None
    portfolio_database_password: SecretStr | None = None
    risk_database_password: SecretStr | None = None


class KafkaPasswords(BaseSettings):
    """What the services' own users of the broker show, where it differs from the common one."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    scheduler_kafka_password: SecretStr | None = None
    market_data_kafka_password: SecretStr | None = None
    symbol_analytics_kafka_password: SecretStr | None = None
    portfolio_kafka_password: SecretStr | None = None
    risk_kafka_password: SecretStr | None = None
    migrate_kafka_password: SecretStr | None = None


def kafka_connection(common: CommonSettings, user: str) -> Connection:
    """Return how a service, or `migrate`, reaches the broker."""
    own: SecretStr | None = getattr(KafkaPasswords(), f"{user}_kafka_password", None)
    password = own or common.kafka_password
    has_sasl = common.kafka_security_protocol.has_sasl
    username = (common.kafka_username or user) if has_sasl else ""
    return Connection(
        common.bootstrap_servers,
        protocol=common.kafka_security_protocol,
        mechanism=common.kafka_sasl_mechanism if has_sasl else None,
        username=username,
        password=password,
        named=f"{user.upper()}_KAFKA_PASSWORD or KAFKA_PASSWORD",
        tokens=_tokens(common, username, password),
        ca_file=common.kafka_ca_file,
        certificate_file=common.kafka_certificate_file,
        key_file=common.kafka_key_file,
        key_password=common.kafka_key_password,
    )


def _tokens(common: CommonSettings, client_id: str, secret: SecretStr | None) -> AbstractTokenProvider | None:
    file, url = common.kafka_token_file, common.kafka_token_url
    if file is None and url is None:
        return None
    # What speaks HTTP takes a tenth of a second to load.
    from shared.bus.tokens import ClientCredentials, TokenFile  # noqa: PLC0415

    return TokenFile(file) if file else ClientCredentials(str(url), client_id, secret, common.kafka_token_scope)


def service_password(common: CommonSettings, service: str) -> SecretStr | None:
    """Return the password of a service's own role on the common server."""
    own: SecretStr | None = getattr(ServicePasswords(), f"{service}_database_password")
    return own or common.service_database_password


def service_database_url(common: CommonSettings, service: str) -> SecretStr:
    """Return the URL under which a service reaches its own schema with its own role."""
    own: SecretStr | None = getattr(ServiceDatabaseUrls(), f"{service}_database_url")
    if own is not None:
        return own
    url = asyncpg_url(common.database_url.get_secret_value()).set(drivername="postgresql", username=service)
    password = service_password(common, service)
    if password is not None:
        url = url.set(password=password.get_secret_value())
    return SecretStr(url.render_as_string(hide_password=False))
