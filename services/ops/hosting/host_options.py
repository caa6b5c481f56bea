"""What somebody wants of `up`, resolved."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from services.ops.data_directory import DataDirectory
from services.ops.errors import Misused
from shared.factor_set import FACTOR_SETS, SAMPLE_FACTOR_SET, FactorSet
from shared.providers import ProviderName

BrokerName = Literal["kafka", "tansu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What somebody wants of `up`.

    Attributes
    ----------
    data_dir : DataDirectory
        Where everything is kept.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    broker : "kafka" or "tansu" or None
        Which broker to run, or which kind `bootstrap_servers` are.
    bootstrap_servers, database_url : str or None
        Servers that run already; both or neither.
    providers : tuple of ProviderName
        The chain of price sources, asked in order.
    files : Path or None
        Where the provider `files` reads.
    factor_set : FactorSet
        Which ticker stands for which factor.
    workers : int
        How many processes share the work: this one alone, or as many others.
    log_options : tuple of str
        How much the others say.
    """

    data_dir: DataDirectory
    host: str
    port: int
    broker: BrokerName | None
    bootstrap_servers: str | None
    database_url: str | None
    providers: tuple[ProviderName, ...]
    files: Path | None
    factor_set: FactorSet
    workers: int = 1
    log_options: tuple[str, ...] = ()


def resolve_factor_set(wanted: str | None, providers: tuple[str, ...]) -> FactorSet:
    """Return the factor set: the one asked for, else the sample's where there are only its prices.

    Raises
    ------
    Misused
        If it is neither a name nor a factor set in JSON.
    """
    if wanted is None:
        return SAMPLE_FACTOR_SET if providers == ("sample",) else FactorSet()
    named = FACTOR_SETS.get(wanted)
    if named is not None:
        return named
    try:
        return FactorSet.model_validate_json(wanted)
    except ValidationError as error:
        raise Misused(f"--factor-set must be `default`, `sample` or JSON, was {wanted!r}: {reasons(error)}") from error


def reasons(error: ValidationError) -> str:
    """Return what is wrong without the input, which may be a secret."""
    return "; ".join(f"{'.'.join(str(step) for step in item['loc'])} {item['msg']}".strip() for item in error.errors())
