"""Settings of the scheduler."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.scheduler.core.schedule import Stage, Trigger


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
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="SCHEDULER_", populate_by_name=True)

    max_backfill_dates: int = Field(default=30, ge=0, validation_alias="MAX_BACKFILL_DATES")
    # How long a step of a backfill may take: a night that begins meanwhile waits for no more than that.
    backfill_step_s: float = Field(default=1.0, gt=0)

    batch_v2_enabled: bool = Field(default=True, validation_alias="BATCH_V2_ENABLED")
    batch_processing_enabled: bool = Field(default=True, validation_alias="BATCH_PROCESSING_ENABLED")
    symbols_crontab: str = "0 21 * * mon-fri"
    portfolios_crontab: str = "30 21 * * mon-fri"
    zone: str = "America/New_York"
    nightly_crontab: str = "30 23 * * mon-fri"
    nightly_zone: str = "UTC"

    @model_validator(mode="after")
    def _triggers_make_sense(self) -> Self:
        self.triggers()
        return self

    def triggers(self) -> tuple[Trigger, ...]:
        """Return what asks for the nights, in the order of their stages."""
        if self.batch_v2_enabled:
            return (
                Trigger(Stage.SYMBOLS, self.symbols_crontab, self.zone),
                Trigger(Stage.PORTFOLIOS, self.portfolios_crontab, self.zone),
            )
        return (Trigger(Stage.NIGHTLY, self.nightly_crontab, self.nightly_zone),)
