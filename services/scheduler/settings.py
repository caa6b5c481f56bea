"""Settings of the scheduler."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class SchedulerSettings(BaseSettings):
    """What only the scheduler needs."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="SCHEDULER_")

    run_deadline_s: float = 3600.0
    catch_up_sessions: int = 30
    # How long a step of a backfill may take: a night that begins meanwhile waits for no more than that.
    backfill_step_s: float = 1.0
