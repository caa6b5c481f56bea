"""Settings of market_data."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.market_data.core.plans import PLANS, UNLIMITED, Plan, Spent
from services.market_data.core.tiers import AGES, Ages
from shared.providers import ProviderName

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def _guards_the_key(url: str) -> str:
    address = urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
        raise ValueError("must begin with https: the key goes there")
    return url


Url = Annotated[str, AfterValidator(_guards_the_key)]
Chain = Annotated[tuple[ProviderName, ...], NoDecode]


async def unlimited() -> None:
    """Count nothing."""


Take = Callable[[], Awaitable[Spent | None]]


class Answers(Protocol):
    """Answers about the whole market that are kept."""

    async def known(self) -> frozenset[str]:
        """Return what there are answers about."""

    async def waiting(self) -> int:
        """Return how many symbols are to be loaded for the first time."""

    async def load(self, what: str, /) -> str | None:
        """Return the text of an answer, None where there is none."""

    async def store(self, what: str, until: date, text: str, /) -> None:
        """Keep an answer about a time up to a day."""


class NoAnswers:
    """Nothing is kept."""

    async def known(self) -> frozenset[str]:
        """Return nothing."""
        return frozenset()

    async def waiting(self) -> int:
        """Return none."""
        return 0

    async def load(self, _: str, /) -> None:
        """Return nothing."""

    async def store(self, _: str, __: date, ___: str, /) -> None:
        """Keep nothing."""


NO_ANSWERS: Final = NoAnswers()


@dataclass(frozen=True, slots=True)
class Access:
    """How a vendor is reached.

    Parameters
    ----------
    url : str
        The base of its API.
    key : SecretStr
    plan : Plan
        How much it lets be asked.
    patience_s : float
        How long one call for a shard may take.
    take : callable
        Count a request; it says for how long the plan's allowance is spent, else None.
    answers : Answers
        What is kept of answers about the whole market.
    cookies_url : str
        Where cookies come from that are asked for.
    """

    url: str
    key: SecretStr
    plan: Plan = UNLIMITED
    patience_s: float = 60.0
    take: Take = unlimited
    answers: Answers = NO_ANSWERS
    cookies_url: str = ""


class MarketDataSettings(BaseSettings):
    """The provider chain, asked in order, where the files are, and how the vendors are reached.

    Attributes
    ----------
    bars, profiles, statements, rates : tuple of ProviderName or None
        Who is asked for a kind, in this order, where that is not the order of all.
    price_fetch_concurrency : int
        How many shards of symbols are fetched at once, in all processes together.
    skip_phase0_valuations : bool
        No provider is asked for profiles, which have the valuations.
    valuations_days, estimates_days, description_days : int
        After how many days a company's market value and ratios, what is expected of it, and what it is, are asked
        for again.
    vendor_seconds : float
        How long the vendors may take for one kind of one shard, together: its transaction is silent meanwhile.
    """

    # Errors at start go to the log: what was given may be a key.
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_prefix="MARKET_DATA_", populate_by_name=True, hide_input_in_errors=True
    )

    providers: Chain = ("sample",)
    bars: Chain | None = None
    profiles: Chain | None = None
    statements: Chain | None = None
    rates: Chain | None = None
    files_dir: Path | None = None
    price_fetch_concurrency: int = Field(default=5, ge=1, validation_alias="PRICE_FETCH_CONCURRENCY")
    skip_phase0_valuations: bool = Field(default=False, validation_alias="SKIP_PHASE0_VALUATIONS")
    vendor_seconds: float = Field(default=120.0, gt=0.0)
    valuations_days: int = Field(default=AGES.valuations, ge=1)
    estimates_days: int = Field(default=AGES.estimates, ge=1)
    description_days: int = Field(default=AGES.description, ge=1)
    fmp_api_key: SecretStr | None = Field(default=None, validation_alias="FMP_API_KEY")
    fmp_plan: Literal["free", "starter", "premium", "ultimate"] = Field(default="free", validation_alias="FMP_PLAN")
    fmp_url: Url = "https://financialmodelingprep.com"
    fred_api_key: SecretStr | None = Field(default=None, validation_alias="FRED_API_KEY")
    fred_url: Url = "https://api.stlouisfed.org"
    massive_api_key: SecretStr | None = Field(default=None, validation_alias="POLYGON_API_KEY")
    massive_plan: Literal["free", "starter", "developer", "advanced"] = Field(
        default="free", validation_alias="POLYGON_PLAN"
    )
    massive_url: Url = "https://api.massive.com"
    tiingo_api_key: SecretStr | None = Field(default=None, validation_alias="TIINGO_API_KEY")
    tiingo_plan: Literal["free", "power"] = Field(default="free", validation_alias="TIINGO_PLAN")
    tiingo_url: Url = "https://api.tiingo.com"
    yahoo_url: Url = "https://query2.finance.yahoo.com"
    yahooquery_url: Url = "https://query2.finance.yahoo.com"
    yahooquery_cookies_url: Url = "https://fc.yahoo.com"

    @field_validator("providers", "bars", "profiles", "statements", "rates", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _chain_makes_sense(self) -> "MarketDataSettings":
        if "files" in self.providers:
            self.directory_of_files()
        for kind in ("bars", "profiles", "statements", "rates"):
            unknown = set(getattr(self, kind) or ()) - set(self.providers)
            if unknown:
                raise ValueError(f"{kind} must be of the providers {self.providers}, had {sorted(unknown)}")
        if not self.askable:
            raise ValueError(f"providers must have one with its key, {_named(self.without_key)}")
        return self

    @property
    def without_key(self) -> dict[ProviderName, str]:
        """The providers that cannot be asked, and the variable that would have the key."""
        keys = {name: type(self).model_fields.get(f"{name}_api_key") for name in self.providers}
        return {
            name: str(field.validation_alias)
            for name, field in keys.items()
            if field is not None and not _given(getattr(self, f"{name}_api_key"))
        }

    @property
    def askable(self) -> Sequence[ProviderName]:
        """The providers that can be asked, in order."""
        return [name for name in self.providers if name not in self.without_key]

    def access(self, vendor: ProviderName) -> Access:
        """Return how a vendor is reached.

        Raises
        ------
        ValueError
            If there is no key for it.
        """
        key: SecretStr = getattr(self, f"{vendor}_api_key", None) or SecretStr("")
        if vendor in self.without_key:
            raise ValueError(f"a key must be given, {_named(self.without_key)}")
        return Access(
            url=getattr(self, f"{vendor}_url"),
            key=key,
            plan=self.plans[vendor],
            patience_s=self.vendor_seconds / len(self.plans),
            cookies_url=self.yahooquery_cookies_url,
        )

    @property
    def ages(self) -> Ages:
        """After how many days each part of a profile is asked for again."""
        return Ages(self.valuations_days, self.estimates_days, self.description_days)

    @property
    def plans(self) -> dict[str, Plan]:
        """The plan of each vendor that can be asked."""
        return {name: PLANS[name][getattr(self, f"{name}_plan", "free")] for name in self.askable if name in PLANS}

    def directory_of_files(self) -> Path:
        """Return where the provider `files` reads.

        Raises
        ------
        ValueError
            If nobody said where.
        """
        if self.files_dir is None:
            raise ValueError("files_dir must be set when the chain has the provider 'files', was None")
        return self.files_dir


def _given(key: SecretStr | None) -> bool:
    return key is not None and bool(key.get_secret_value().strip())


def _named(without_key: dict[ProviderName, str]) -> str:
    return "but " + ", ".join(f"{name} lacks {variable}" for name, variable in without_key.items())
