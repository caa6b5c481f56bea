"""The provider chain that somebody wants of `up`."""

from pathlib import Path

from services.ops.errors import Misused
from shared.providers import PROVIDER_NAMES, ProviderName


def resolve_providers(wanted: str | None, files: Path | None) -> tuple[ProviderName, ...]:
    """Return the provider chain: the one asked for, else files where there is a directory, else the sample.

    Raises
    ------
    Misused
        If a provider is unknown, or `files` has no directory.
    """
    known: dict[str, ProviderName] = {name: name for name in PROVIDER_NAMES}
    chain = wanted or ("files" if files else "sample")
    names = [name.strip() for name in chain.split(",") if name.strip()]
    if not known.keys() >= set(names):
        raise Misused(f"--providers must be of {', '.join(map(repr, known))}, was {chain!r}")
    if "files" in names and (files is None or not files.is_dir()):
        raise Misused(f"--files must be a directory for the provider `files`, was {files}")
    return tuple(known[name] for name in names)
