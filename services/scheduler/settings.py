"""Settings of the scheduler."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.scheduler.core.schedule import Stage, Trigger
from services.scheduler.core.webhook import signing_key


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told of ends of runs, and the key that both know."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)


class SchedulerSettings(BaseSettings):
    """What only the scheduler needs.

    Attributes
    ----------
    batch_v2_enabled : bool
        Nights have two stages, symbols and then portfolios, each at its time in `zone`; else one run over everything at
        the time of `nightly_crontab`.
    max_backfill_dates : int
        How many sessions back a night looks for cells that were never computed, to repair them.
    batch_processing_enabled : bool
        Without it nothing is asked for by itself; every time that passes is recorded as paused.
    webhook_url, webhook_secret : SecretStr or None
        Who is told of ends of runs (an address may hold a token), and the secret that what is sent is signed with.
    """

    # Errors at start go to the log: what was given may be a secret.
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_prefix="SCHEDULER_", populate_by_name=True, hide_input_in_errors=True
    )

    max_backfill_dates: int = Field(default=30, ge=0, validation_alias="MAX_BACKFILL_DATES")
    # How long a step of a backfill is to take: a night that begins meanwhile breaks it off, and it is done anew.
    backfill_step_s: float = Field(default=10.0, gt=0)

    batch_v2_enabled: bool = Field(default=True, validation_alias="BATCH_V2_ENABLED")
    batch_processing_enabled: bool = Field(default=True, validation_alias="BATCH_PROCESSING_ENABLED")
    symbols_crontab: str = "0 21 * * mon-fri"
    portfolios_crontab: str = "30 21 * * mon-fri"
    zone: str = "America/New_York"
    nightly_crontab: str = "30 23 * * mon-fri"
    nightly_zone: str = "UTC"

    webhook_url: SecretStr | None = None
    webhook_secret: SecretStr | None = None

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        self.triggers()
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("webhook_url and webhook_secret come together")
        if self.webhook_url is not None and not _is_http(self.webhook_url.get_secret_value()):
            raise ValueError("webhook_url must begin with http:// or https:// and name a host")
        _ = self.webhook
        return self

    @property
    def webhook(self) -> Webhook | None:
        """Who is told of ends of runs."""
        if self.webhook_url is None or self.webhook_secret is None:
            return None
        try:
            key = signing_key(self.webhook_secret.get_secret_value())
        except ValueError as error:
            raise ValueError(f"webhook_secret {error}") from error
        return Webhook(self.webhook_url.get_secret_value(), key)

    def triggers(self) -> tuple[Trigger, ...]:
        """Return what asks for the nights, in the order of their stages."""
        if self.batch_v2_enabled:
            return (
                Trigger(Stage.SYMBOLS, self.symbols_crontab, self.zone),
                Trigger(Stage.PORTFOLIOS, self.portfolios_crontab, self.zone),
            )
        return (Trigger(Stage.NIGHTLY, self.nightly_crontab, self.nightly_zone),)


def _is_http(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
